-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- An import under way or done: rows_done is moved by the transaction that writes the rows' products. state: 0 running, 1 done.
create table import (
        id           uuid primary key,
        owner        uuid not null,
        source       text not null,
        digest       text,
        state        int4 not null default 0,
        rows_done    int8 not null default 0,
        created      int8 not null default 0,
        changed      int8 not null default 0,
        unchanged    int8 not null default 0,
        failed       int8 not null default 0,
        begun_at     timestamptz not null,
        updated_at   timestamptz not null,
        done_at      timestamptz
);
create index imports_of_owner on import (owner, id);

-- Its report. no: the row times 100, and which fault of it.
create table import_fault (
        import_id    uuid not null references import (id) on delete cascade,
        no           int8 not null,
        row          int8 not null,
        line         int8,
        sku          text,
        pointer      text,
        slug         text not null,
        detail       text not null,
        primary key (import_id, no)
);
