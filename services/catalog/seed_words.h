/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * seed_words.h - the words seed.c makes products of: departments, brands, and the wares of seed_wares.def. Included by seed.c only.
 *
 * A list of words is one string, its words parted by '|', in rising order where order means anything (sizes, capacities).
 * In a sentence {b} is the brand, {n} the noun, {m} the material and {a} the adjective; {A} and {N} begin with a capital.
 * Every brand is made up. Adding, removing or reordering anything changes what every seed yields. */
#ifndef SEED_WORDS_H
#define SEED_WORDS_H
#include "base.h"

enum department { FASHION, HOME, ELECTRONICS, COMPUTERS, SPORT, GARDEN, FOOD, BOOKS, TOYS, BEAUTY, PETS, OFFICE, DEPARTMENTS };

struct department_words {
        int32_t vat_bp;
        const char *openings, *closings;                /* sentences */
};

struct ware {                                           /* a leaf category and what is sold in it                   */
        enum department department;
        const char *code;                               /* three letters, the middle of a SKU                       */
        const char *path;
        int32_t lowest, highest;                        /* price, EUR cents                                         */
        const char *nouns, *adjectives, *materials;     /* materials may be empty; so may these three:              */
        const char *ratings, *colours, *sizes;          /* rating: capacity, power, weight of a pack; a higher one costs more */
        /* "Name=recipe|...": a recipe is a letter (a m p c s: the words chosen, p the rating), "#low-high unit" or "this/or that" */
        const char *attributes;
        const char *sentences;
};

static const struct department_words departments[DEPARTMENTS] = {
        [FASHION] = { 1900, "From {b}: {n} in {m}, made to be worn for years.|{A} {n} by {b}, cut for an easy, regular fit.|"
                            "{b} makes its {n} of {m} in small runs.|{N} in {m}, for the days between two seasons.",
                            "Air it often and wash it seldom.|The colour deepens with time.|Repaired by the maker for life.|"
                            "Sewn in Portugal." },
        [HOME] = { 1900, "From {b}: {n} in {m}, made for daily use.|{A} {n} by {b}, as much at home in an old house as in a new flat.|"
                         "{b} makes its {n} of {m}, and little else.|{N} in {m} that will still look right in ten years.",
                         "Wipe clean with a damp cloth.|Comes in a box without plastic.|Five years' warranty.|Goes with the rest of the range." },
        [ELECTRONICS] = { 1900, "{A} {n} from {b} that does its work without asking for attention.|From {b}: {a} {n}, ready out of the box.|"
                                "With its {n}, {b} leaves out what nobody uses and gets the rest right.",
                                "Two years' warranty.|Firmware updates for at least five years.|Cable and quick start guide included.|"
                                "Can be opened and repaired with ordinary tools." },
        [COMPUTERS] = { 1900, "{A} {n} from {b} for the desk and the road.|From {b}: {a} {n}, tested for thousands of hours before it ships.|"
                              "{b} builds its {n} for people who work at a screen all day.",
                              "Works with Windows, macOS and Linux.|Three years' warranty, with pick-up and return.|No driver needed.|"
                              "Spare parts for seven years." },
        [SPORT] = { 1900, "{A} {n} from {b}, tried out in rain and wind before it went on sale.|From {b}: {n} in {m}, light enough to forget.|"
                          "{N} from {b}, outfitter of clubs for two generations.",
                          "Checked by hand before it leaves the workshop.|Suits beginners and regulars.|Repair kit available.|Packs small." },
        [GARDEN] = { 1900, "{A} {n} from {b} for gardens of every size.|From {b}: {a} {n}, tried for a year before it went on sale.|"
                           "{A} {n} by {b}, made to outlast the shed.",
                           "Keep dry in winter.|Tested in the maker's own garden.|Packed without plastic.|"
                           "Advice by telephone, from people with earth under their nails." },
        [FOOD] = { 700, "{A} {n} from {b}, a small house with few products.|{b} buys what goes into its {n} from growers it knows by name.|"
                        "From {b}: {a} {n} for every day and for guests.",
                        "Keep cool and dry.|Free of palm oil and added flavourings.|Best within four weeks of opening.|Packed in recyclable paper and glass." },
        [BOOKS] = { 700, "New from {b}.|Now in its third printing at {b}.|A discovery of the autumn list of {b}.|Revised edition, with a new foreword.",
                         "Printed on paper from certified forests.|With a ribbon and sewn binding.|Reading sample on request.|Also good as a present." },
        [TOYS] = { 1900, "{A} {n} from {b}, tested by many small hands.|From {b}: {a} {n} for rainy Sundays.|"
                         "{N} by {b}, of the sort that older brothers and sisters want back.",
                         "Conforms to EN 71.|Packed without plastic.|No batteries needed.|Spare parts are free for life." },
        [BEAUTY] = { 1900, "{A} {n} from {b}, without perfume oils that irritate.|From {b}: {a} {n} for every day.|"
                           "{b} makes its {n} in small batches, dated by hand.",
                           "Dermatologically tested.|Not tested on animals.|Packed without plastic.|Refill available." },
        [PETS] = { 1900, "{A} {n} from {b}, approved by strict testers with four legs.|From {b}: {a} {n} for animals that are part of the family.|"
                         "{b} develops its {n} with veterinarians.",
                         "Easy to clean.|Free of harmful dyes.|Not happy with it? So is your pet: send it back.|For indoors and outdoors." },
        [OFFICE] = { 1900, "{A} {n} from {b} that makes work feel a little less like work.|From {b}: {a} {n} for the study and the office.|"
                           "{N} by {b}, a house that has made little else for forty years.",
                           "Spare parts for ten years.|Made with wind power.|Packed without plastic.|Suitable for left-handers." },
};

#define IN(d) (1u << (d))
static const struct { const char *name; uint32_t in; } brands[] = {
        { "Halden", IN(FASHION) | IN(SPORT) },          { "Norrvale", IN(FASHION) },
        { "Maravelle", IN(FASHION) | IN(BEAUTY) },      { "Tindmoor", IN(FASHION) | IN(SPORT) },
        { "Ostrelund", IN(FASHION) | IN(HOME) },        { "Casselby", IN(FASHION) },
        { "Ørsholt", IN(FASHION) },                     { "Wrenfold", IN(FASHION) },
        { "Lindqvara", IN(FASHION) },                   { "Pellegrade", IN(FASHION) },
        { "Brambleholt", IN(HOME) | IN(GARDEN) },       { "Fjordlund & Sønn", IN(HOME) },
        { "Kupferhag", IN(HOME) },                      { "Ardenmere", IN(HOME) },
        { "Sollenby", IN(HOME) },                       { "Vellamo Hus", IN(HOME) },
        { "Thornwyke", IN(HOME) | IN(GARDEN) },         { "Casa Lumbria", IN(HOME) },
        { "Duvenholt", IN(HOME) | IN(OFFICE) },         { "Voltrana", IN(ELECTRONICS) },
        { "Ardimel Lane", IN(ELECTRONICS) },            { "Hexaluma", IN(ELECTRONICS) | IN(HOME) },
        { "Kodarra", IN(ELECTRONICS) | IN(COMPUTERS) }, { "Sonovarn", IN(ELECTRONICS) },
        { "Lumarix", IN(ELECTRONICS) },                 { "Pixelund", IN(ELECTRONICS) | IN(COMPUTERS) },
        { "Ferrovane", IN(ELECTRONICS) },               { "Tessarix", IN(COMPUTERS) },
        { "Bytefjell", IN(COMPUTERS) },                  { "Quantessa", IN(COMPUTERS) },
        { "Corvanta", IN(COMPUTERS) | IN(ELECTRONICS) },{ "Keywright", IN(COMPUTERS) | IN(OFFICE) },
        { "Havelock & Byte", IN(COMPUTERS) },           { "Zenthorn", IN(COMPUTERS) },
        { "Skarvfell", IN(SPORT) },                     { "Pinnarock", IN(SPORT) },
        { "Velomara", IN(SPORT) },                      { "Aquilonne", IN(SPORT) },
        { "Trailhemm", IN(SPORT) },                    { "Bergsaum", IN(SPORT) | IN(FASHION) },
        { "Rundwell", IN(SPORT) },                      { "Grünspat", IN(GARDEN) },
        { "Hagedorf", IN(GARDEN) },                     { "Rootmark Hill", IN(GARDEN) },
        { "Eisenlaub", IN(GARDEN) },                    { "Mossandel", IN(GARDEN) | IN(HOME) },
        { "Gärtnerei Holm", IN(GARDEN) },               { "Ironbarrow", IN(GARDEN) },
        { "Café Amarel", IN(FOOD) },                    { "Olivastrel", IN(FOOD) },
        { "Honeyfield Row", IN(FOOD) },                 { "Mühle am Bruch", IN(FOOD) },
        { "Teehaus Windsal", IN(FOOD) },                 { "Cacaluna", IN(FOOD) },
        { "Saltmarsh Pantry", IN(FOOD) },               { "Domaine Quercelle", IN(FOOD) },
        { "Lanternfish Press", IN(BOOKS) },             { "Ebb & Harrow", IN(BOOKS) },
        { "Seventh Stair Books", IN(BOOKS) },           { "Éditions Brumaire Bleu", IN(BOOKS) },
        { "Papierschiff", IN(BOOKS) | IN(OFFICE) },     { "Nightferry House", IN(BOOKS) },
        { "Copperbeech & Daughters", IN(BOOKS) },       { "Klabauto", IN(TOYS) },
        { "Wobblewood", IN(TOYS) },                     { "Tumbelina", IN(TOYS) },
        { "Brickadell", IN(TOYS) },                      { "Foxgrove & Dice", IN(TOYS) },
        { "Holzmarie", IN(TOYS) },                      { "Aurelisse", IN(BEAUTY) },
        { "Botanika Sol", IN(BEAUTY) },                 { "Luneterre", IN(BEAUTY) },
        { "Saponessa", IN(BEAUTY) },                    { "Vitaholm", IN(BEAUTY) },
        { "Kräuterwerk Anna", IN(BEAUTY) | IN(FOOD) },  { "Barkley & Purr", IN(PETS) },
        { "Pfotenglück Nord", IN(PETS) },               { "Wagthorn", IN(PETS) },
        { "Tailmoor Kennels", IN(PETS) },               { "Finnegat", IN(PETS) },
        { "Catkin & Co.", IN(PETS) },                   { "Schreibwald", IN(OFFICE) },
        { "Inkhollow", IN(OFFICE) },                    { "Foliant & Sohn", IN(OFFICE) },
        { "Deskmere", IN(OFFICE) | IN(COMPUTERS) },     { "Paperlarch", IN(OFFICE) | IN(TOYS) },
};
#undef IN

static const char first_names[] = "Mara|Jonas|Ilse|Tomasz|Edda|Rafael|Noor|Céline|Anselm|Birgit|Callum|Désirée|Emre|Fiona|Gustav|Hanne|Ines|Jarek|"
                                  "Kaja|Lorenz|Milena|Nuno|Ottilie|Petra|Søren|Tilda";
static const char last_names[] = "Ellingsen|Brandauer|Kowal|Okonjo|Vasquez|Lindemann|Hartigan|Moreau|Sandoval|Thorne|Weissbach|Aalto|Castellan|Dufresne|"
                                 "Eriksdotter|Fairweather|Grünwald|Hollis|Ivanek|Jørstad|Kessel|Lovelace-Byrne|Nakagawa|Pereira";

#define COLOURS     "Black|White|Charcoal|Navy|Sand|Forest Green|Rust|Burgundy|Light Grey|Dusty Blue"
#define BRIGHTS     "Red|Yellow|Sky Blue|Mint|Coral|Violet|Orange|Natural"
#define ROOM_TONES  "Natural|Black|Off-White|Sage|Terracotta|Slate|Ochre|Petrol"
#define TECH_TONES  "Black|White|Graphite|Silver|Midnight Blue"
#define SIZES       "XS|S|M|L|XL|XXL"
#define SHOE_SIZES  "36|37|38|39|40|41|42|43|44|45"
#define FORMATS     "Paperback|Hardcover|Large Print|Special Edition"

static const struct ware wares[] = {
#define WARE(...) { __VA_ARGS__ },
#include "seed_wares.def"
#undef WARE
};
#endif
