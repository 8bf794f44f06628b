/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * near.c - how near two countries are, in four honest steps: the same country, the same region, the same continent, the rest of the world.
 *
 * Regions are the sub-regions of the United Nations' geographic regions (standard M49), by ISO 3166 country. No distances: between the middles of
 * two countries they say little about a parcel's way, and a table of them would look more exact than it is. Pure. */
#include "stock.h"

enum { L_A, L_B, L_C, L_D, L_E, L_F, L_G, L_H, L_I, L_J, L_K, L_L, L_M, L_N, L_O, L_P, L_Q, L_R, L_S, L_T, L_U, L_V, L_W, L_X, L_Y, L_Z, LETTERS };
enum region {                           /* the upper half is the continent */
        NORTH_AFRICA = 0x10, WEST_AFRICA, MIDDLE_AFRICA, EAST_AFRICA, SOUTH_AFRICA,
        NORTH_AMERICA = 0x20, CENTRAL_AMERICA, CARIBBEAN, SOUTH_AMERICA,
        CENTRAL_ASIA = 0x30, EAST_ASIA, SOUTH_EAST_ASIA, SOUTH_ASIA, WEST_ASIA,
        EAST_EUROPE = 0x40, NORTH_EUROPE, SOUTH_EUROPE, WEST_EUROPE,
        AUSTRALASIA = 0x50, MELANESIA, MICRONESIA, POLYNESIA,
        ANTARCTICA = 0x60
};

static const uint8_t region_of[LETTERS * LETTERS] = {
#define IN(x, y) [L_##x * LETTERS + L_##y] = REGION,
#define REGION NORTH_AFRICA
        IN(D,Z) IN(E,G) IN(E,H) IN(L,Y) IN(M,A) IN(S,D) IN(T,N)
#undef REGION
#define REGION WEST_AFRICA
        IN(B,F) IN(B,J) IN(C,I) IN(C,V) IN(G,H) IN(G,M) IN(G,N) IN(G,W) IN(L,R) IN(M,L) IN(M,R) IN(N,E) IN(N,G) IN(S,H) IN(S,L) IN(S,N)
        IN(T,G)
#undef REGION
#define REGION MIDDLE_AFRICA
        IN(A,O) IN(C,D) IN(C,F) IN(C,G) IN(C,M) IN(G,A) IN(G,Q) IN(S,T) IN(T,D)
#undef REGION
#define REGION EAST_AFRICA
        IN(B,I) IN(D,J) IN(E,R) IN(E,T) IN(I,O) IN(K,E) IN(K,M) IN(M,G) IN(M,U) IN(M,W) IN(M,Z) IN(R,E) IN(R,W) IN(S,C) IN(S,O) IN(S,S)
        IN(T,F) IN(T,Z) IN(U,G) IN(Y,T) IN(Z,M) IN(Z,W)
#undef REGION
#define REGION SOUTH_AFRICA
        IN(B,W) IN(L,S) IN(N,A) IN(S,Z) IN(Z,A)
#undef REGION
#define REGION NORTH_AMERICA
        IN(B,M) IN(C,A) IN(G,L) IN(P,M) IN(U,S)
#undef REGION
#define REGION CENTRAL_AMERICA
        IN(B,Z) IN(C,R) IN(G,T) IN(H,N) IN(M,X) IN(N,I) IN(P,A) IN(S,V)
#undef REGION
#define REGION CARIBBEAN
        IN(A,G) IN(A,I) IN(A,W) IN(B,B) IN(B,L) IN(B,Q) IN(B,S) IN(C,U) IN(C,W) IN(D,M) IN(D,O) IN(G,D) IN(G,P) IN(H,T) IN(J,M) IN(K,N)
        IN(K,Y) IN(L,C) IN(M,F) IN(M,Q) IN(M,S) IN(P,R) IN(S,X) IN(T,C) IN(T,T) IN(V,C) IN(V,G) IN(V,I)
#undef REGION
#define REGION SOUTH_AMERICA
        IN(A,R) IN(B,O) IN(B,R) IN(B,V) IN(C,L) IN(C,O) IN(E,C) IN(F,K) IN(G,F) IN(G,S) IN(G,Y) IN(P,E) IN(P,Y) IN(S,R) IN(U,Y) IN(V,E)
#undef REGION
#define REGION CENTRAL_ASIA
        IN(K,G) IN(K,Z) IN(T,J) IN(T,M) IN(U,Z)
#undef REGION
#define REGION EAST_ASIA
        IN(C,N) IN(H,K) IN(J,P) IN(K,P) IN(K,R) IN(M,N) IN(M,O) IN(T,W)
#undef REGION
#define REGION SOUTH_EAST_ASIA
        IN(B,N) IN(I,D) IN(K,H) IN(L,A) IN(M,M) IN(M,Y) IN(P,H) IN(S,G) IN(T,H) IN(T,L) IN(V,N)
#undef REGION
#define REGION SOUTH_ASIA
        IN(A,F) IN(B,D) IN(B,T) IN(I,N) IN(I,R) IN(L,K) IN(M,V) IN(N,P) IN(P,K)
#undef REGION
#define REGION WEST_ASIA
        IN(A,E) IN(A,M) IN(A,Z) IN(B,H) IN(C,Y) IN(G,E) IN(I,L) IN(I,Q) IN(J,O) IN(K,W) IN(L,B) IN(O,M) IN(P,S) IN(Q,A) IN(S,A) IN(S,Y)
        IN(T,R) IN(Y,E)
#undef REGION
#define REGION EAST_EUROPE
        IN(B,G) IN(B,Y) IN(C,Z) IN(H,U) IN(M,D) IN(P,L) IN(R,O) IN(R,U) IN(S,K) IN(U,A)
#undef REGION
#define REGION NORTH_EUROPE
        IN(A,X) IN(D,K) IN(E,E) IN(F,I) IN(F,O) IN(G,B) IN(G,G) IN(I,E) IN(I,M) IN(I,S) IN(J,E) IN(L,T) IN(L,V) IN(N,O) IN(S,E) IN(S,J)
#undef REGION
#define REGION SOUTH_EUROPE
        IN(A,D) IN(A,L) IN(B,A) IN(E,S) IN(G,I) IN(G,R) IN(H,R) IN(I,T) IN(M,E) IN(M,K) IN(M,T) IN(P,T) IN(R,S) IN(S,I) IN(S,M) IN(V,A)
        IN(X,K)
#undef REGION
#define REGION WEST_EUROPE
        IN(A,T) IN(B,E) IN(C,H) IN(D,E) IN(F,R) IN(L,I) IN(L,U) IN(M,C) IN(N,L)
#undef REGION
#define REGION AUSTRALASIA
        IN(A,U) IN(C,C) IN(C,X) IN(H,M) IN(N,F) IN(N,Z)
#undef REGION
#define REGION MELANESIA
        IN(F,J) IN(N,C) IN(P,G) IN(S,B) IN(V,U)
#undef REGION
#define REGION MICRONESIA
        IN(F,M) IN(G,U) IN(K,I) IN(M,H) IN(M,P) IN(N,R) IN(P,W) IN(U,M)
#undef REGION
#define REGION POLYNESIA
        IN(A,S) IN(C,K) IN(N,U) IN(P,F) IN(P,N) IN(T,K) IN(T,O) IN(T,V) IN(W,F) IN(W,S)
#undef REGION
#define REGION ANTARCTICA
        IN(A,Q)
#undef REGION
#undef IN
};

static unsigned region(str country)
{
        bool known = country.n == 2 && country.p[0] >= 'A' && country.p[0] <= 'Z' && country.p[1] >= 'A' && country.p[1] <= 'Z';
        return known ? region_of[(country.p[0] - 'A') * LETTERS + (country.p[1] - 'A')] : 0;
}

enum nearness near_is(str a, str b)
{
        unsigned ra = region(a), rb = region(b);

        if (a.n && str_eq(a, b)) return SAME_COUNTRY;
        if (ra == 0 || rb == 0) return ELSEWHERE;
        if (ra == rb) return SAME_REGION;
        return ra >> 4 == rb >> 4 ? SAME_CONTINENT : ELSEWHERE;
}
