/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kit.h - the whole vocabulary a service is written in. Services include this and contracts, nothing else of kit/. */
#ifndef KIT_H
#define KIT_H
#include "base.h"
#include "arena.h"
#include "batch.h"
#include "buf.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "ctx.h"
#include "db.h"
#include "fiber.h"
#include "hash.h"
#include "json.h"
#include "log.h"
#include "map.h"
#include "metrics.h"
#include "op.h"
#include "outbox.h"
#include "page.h"
#include "pool.h"
#include "sync.h"
#include "text.h"
#include "type.h"
#endif
