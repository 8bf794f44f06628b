-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Lists say themselves what matches: inside a function's rows the planner could not walk an index in their order, and read every product for a page.
drop function products_matching;
