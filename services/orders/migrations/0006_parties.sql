-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Who a buyer was, as identity told it: an invoice names them as they were when it was issued, whatever they are called since and after they have gone.
-- Only what an invoice or a credit note needs is kept of somebody's past.
create table buyer_was (
        buyer        uuid not null,
        since        timestamptz not null,
        name         text not null,
        email        text not null,
        primary key (buyer, since)
);

-- Who sold, a row for each time the configuration said so anew.
create table seller_was (
        since        timestamptz primary key,
        name         text not null,
        vat_id       text not null,
        street       text not null,
        postal_code  text not null,
        city         text not null,
        country      text not null
);
