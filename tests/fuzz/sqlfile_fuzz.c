/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sqlfile_fuzz.c - any bytes are either a file of statements or a mistake with a line in it. */
#include "sqlfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct arena *a = arena_new(16 << 20);
        struct sqlfile file;
        struct sqlfile_error err;
        int code = sqlfile_read(a, (str){ (const char *)data, n }, &file, &err);
        if (code == 0) {
                for (size_t i = 0; i < file.n; i++)
                        assert(file.v[i].sql.n && file.v[i].name.n && file.v[i].n_params <= SQLFILE_PARAMS_MAX);
        } else {
                assert(err.text[0] && err.line >= 1);
        }
        arena_free(a);
        return 0;
}
