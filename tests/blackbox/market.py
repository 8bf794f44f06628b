# SPDX-License-Identifier: Apache-2.0
"""A marketplace under test, and what tests want of it: people with tokens, products with stock, its databases, and its one table of routes.

The routes are written down here by hand, from the design and not from the program, so that a change of one of them is noticed."""
import collections
import concurrent.futures
import contextlib
import itertools
import subprocess
import time
import uuid

import httpx
import psycopg
from joserfc import jwk, jwt

from souk import Souk

DATABASES = ("identity", "catalog", "inventory", "orders", "payments")
MOVING = {"sweep_mark", "test_answer", "souk_position", "souk_outbox", "souk_migration", "souk_migrations"}     # change by themselves
HEARD = {                                               # (who hears, its database): (topic, whose)
    ("catalog.stock_heard", "catalog"): ("stock.changed", "inventory"),
    ("inventory.hold_commit", "inventory"): ("order.confirmed", "orders"),
    ("inventory.hold_release", "inventory"): ("order.rejected", "orders"),
    ("inventory.order_take_back", "inventory"): ("order.cancelled", "orders"),
    ("inventory.return_take_back", "inventory"): ("order.returned", "orders"),
    ("payments.payment_capture", "payments"): ("order.confirmed", "orders"),
    ("payments.payment_undo", "payments"): ("order.rejected", "orders"),
    ("payments.payment_cancelled", "payments"): ("order.cancelled", "orders"),
    ("payments.payment_returned", "payments"): ("order.returned", "orders"),
    ("payments.payment_settle", "payments"): ("payment.settle_asked", "payments"),
    ("orders.buyer_came", "orders"): ("user.registered", "identity"),
    ("orders.buyer_changed", "orders"): ("user.changed", "identity"),
    ("orders.buyer_left", "orders"): ("user.deleted", "identity"),
}
NOBODYS = "019ab4f0-0000-7000-8000-00000000dead"
TOKEN_SECONDS = 150                                     # of the 300 that it lives

ADDRESS = {"name": "Ada", "line1": "1 High St", "line2": "Flat 2", "postal_code": "E1 6AN", "city": "London", "region": "Essex", "country": "GB", "phone": "1",
           "is_default": True}
ADDRESS_OPTIONAL = ("/line2", "/postal_code", "/region", "/phone", "/is_default")

PRODUCT = {"sku": "refused-1", "name": "Lamp", "description": "Bright.", "brand": "Lumo", "category": "Home > Lamps", "categories": ["Gifts"], "tags": ["new"],
           "price": {"amount": 1999, "currency": "EUR"}, "vat_bp": 700, "images": ["https://img.example/1.jpg"],
           "attributes": [{"name": "colour", "value": "green"}]}
PRODUCT_OPTIONAL = ("/description", "/brand", "/category", "/categories", "/tags", "/vat_bp", "/images", "/attributes")

Route = collections.namedtuple("Route", "method path who scope key body optional", defaults=(None, False, None, ()))
ROUTES = [
    Route("POST", "/v1/users", "anyone", body={"email": "new@shop.example", "password": "correct horse", "name": "Somebody New"},
          optional=("/password",)),                     # for who may bring users over; test_identity has the others
    Route("POST", "/v1/sessions", "anyone", body={"email": "nobody@shop.example", "password": "wrong horse"}),
    Route("POST", "/v1/sessions/refresh", "anyone", body={"refresh_token": "bm8gdG9rZW4"}),
    Route("DELETE", "/v1/sessions/current", "user"),
    Route("GET", "/v1/sessions", "user"),
    Route("GET", "/v1/sessions/current", "user"),
    Route("DELETE", "/v1/sessions/others", "user"),
    Route("DELETE", "/v1/sessions/{id}", "user"),
    Route("GET", "/v1/me", "user"),
    Route("PATCH", "/v1/me", "user"),
    Route("PUT", "/v1/me/password", "user", body={"current_password": "wrong horse", "new_password": "staple wrong donkey"}),
    Route("POST", "/v1/me/deletion", "user", body={"password": "wrong horse"}),
    Route("GET", "/v1/me/export", "user"),
    Route("GET", "/v1/me/addresses", "user"),
    Route("POST", "/v1/me/addresses", "user", None, True, ADDRESS, ADDRESS_OPTIONAL),
    Route("GET", "/v1/me/addresses/{id}", "user"),
    Route("PUT", "/v1/me/addresses/{id}", "user", None, False, ADDRESS, ADDRESS_OPTIONAL),
    Route("PATCH", "/v1/me/addresses/{id}", "user"),
    Route("DELETE", "/v1/me/addresses/{id}", "user"),
    Route("GET", "/v1/users", "staff", "users:read"),
    Route("GET", "/v1/users/{id}", "user"),
    Route("PATCH", "/v1/users/{id}", "admin", "users:write"),
    Route("DELETE", "/v1/users/{id}", "admin", "users:write"),
    Route("PUT", "/v1/users/{id}/password", "admin", "users:write", False, {"password": "correct horse battery"}),
    Route("DELETE", "/v1/users/{id}/sessions", "admin", "users:write"),
    Route("GET", "/.well-known/openid-configuration", "anyone"),
    Route("POST", "/v1/keys", "admin", "keys:write"),
    Route("GET", "/v1/keys", "admin", "keys:write"),
    Route("GET", "/oauth2/jwks", "anyone"),
    Route("GET", "/v1/products", "anyone"),
    Route("POST", "/v1/products", "vendor", "catalog:write", True,
          PRODUCT, PRODUCT_OPTIONAL),
    Route("POST", "/v1/products/import", "vendor", "catalog:write", False, {"products": [{"sku": "r", "name": "R", "price": {"amount": 1, "currency": "EUR"}}]}),
    Route("GET", "/v1/products/{id}", "anyone"),
    Route("PUT", "/v1/products/{id}", "vendor", "catalog:write", False, PRODUCT, PRODUCT_OPTIONAL),
    Route("PATCH", "/v1/products/{id}", "vendor", "catalog:write"),
    Route("DELETE", "/v1/products/{id}", "vendor", "catalog:write"),
    Route("GET", "/v1/products/{product_id}/prices", "anyone"),
    Route("POST", "/v1/imports", "vendor", "catalog:write", True, {"source": "shop.csv", "digest": "none"}, ("/digest",)),
    Route("GET", "/v1/imports", "vendor", "catalog:write"),
    Route("GET", "/v1/imports/{id}", "vendor", "catalog:write"),
    Route("DELETE", "/v1/imports/{id}", "vendor", "catalog:write"),
    Route("POST", "/v1/imports/{id}/rows", "vendor", "catalog:write", False, {"from": 0, "rows": [], "last": True}, ("/last",)),
    Route("POST", "/v1/imports/{id}/file", "vendor", "catalog:write"),      # its body is text, which the service tests judge
    Route("GET", "/v1/imports/{id}/errors", "vendor", "catalog:write"),
    Route("GET", "/v1/categories", "anyone"),
    Route("POST", "/v1/categories", "staff", "catalog:write", True, {"name": "Refused", "parent_id": NOBODYS}, ("/parent_id",)),
    Route("GET", "/v1/categories/{id}", "anyone"),
    Route("PUT", "/v1/categories/{id}", "staff", "catalog:write", False, {"name": "Refused", "parent_id": NOBODYS}, ("/parent_id",)),
    Route("PATCH", "/v1/categories/{id}", "staff", "catalog:write"),
    Route("DELETE", "/v1/categories/{id}", "staff", "catalog:write"),
    Route("GET", "/v1/brands", "anyone"),
    Route("GET", "/v1/inventory/{product_id}", "anyone"),
    Route("GET", "/v1/inventory/balances/{product_id}", "staff", "inventory:read"),
    Route("GET", "/v1/inventory/movements/{product_id}", "staff", "inventory:read"),
    Route("POST", "/v1/inventory/adjustments", "staff", "inventory:write", True,
          {"product_id": NOBODYS, "warehouse_id": NOBODYS, "delta": 5, "reason": "counted"}, ("/warehouse_id",)),
    Route("POST", "/v1/inventory/receipts", "staff", "inventory:write", True,
          {"items": [{"product_id": NOBODYS, "quantity": 5}], "warehouse_id": NOBODYS, "note": "a lorry"}, ("/warehouse_id", "/note")),
    Route("GET", "/v1/inventory/adjustments/{id}", "staff", "inventory:read"),
    Route("GET", "/v1/inventory/receipts/{id}", "staff", "inventory:read"),
    Route("POST", "/v1/inventory/transfers", "staff", "inventory:write", True,
          {"from_warehouse_id": NOBODYS, "to_warehouse_id": NOBODYS[:-1] + "e", "items": [{"product_id": NOBODYS, "quantity": 5}], "note": "nearer"}, ("/note",)),
    Route("GET", "/v1/inventory/transfers/{id}", "staff", "inventory:read"),
    Route("GET", "/v1/inventory", "staff", "inventory:read"),
    Route("GET", "/v1/inventory/allocations/{order_id}", "staff", "inventory:read"),
    Route("GET", "/v1/inventory/thresholds/{product_id}", "staff", "inventory:read"),
    Route("PUT", "/v1/inventory/thresholds/{product_id}", "staff", "inventory:write", False, {"low": 3}),
    Route("DELETE", "/v1/inventory/thresholds/{product_id}", "staff", "inventory:write"),
    Route("GET", "/v1/warehouses", "staff", "inventory:read"),
    Route("POST", "/v1/warehouses", "admin", "inventory:write", True, {"code": "refused", "name": "Refused", "country": "DE"}),
    Route("GET", "/v1/warehouses/{id}", "staff", "inventory:read"),
    Route("PUT", "/v1/warehouses/{id}", "admin", "inventory:write", False,
          {"code": "refused", "name": "Refused", "country": "DE", "active": True, "is_default": False}),
    Route("PATCH", "/v1/warehouses/{id}", "admin", "inventory:write"),
    Route("DELETE", "/v1/warehouses/{id}", "admin", "inventory:write"),
    Route("GET", "/v1/warehouses/{id}/stock", "staff", "inventory:read"),
    Route("POST", "/v1/orders", "user", "orders:write", True,
          {"items": [{"product_id": NOBODYS, "quantity": 1}], "payment": {"card": "4242424242424242"}, "note": "Ring twice.",
           "ship_to": {"name": "Ada", "line1": "1 High St", "line2": "Flat 2", "postal_code": "E1 6AN", "city": "London", "region": "Essex", "country": "GB", "phone": "1"}},
          ("/payment", "/payment/card", "/note", "/ship_to", "/ship_to/line2", "/ship_to/postal_code", "/ship_to/region", "/ship_to/phone")),
    Route("GET", "/v1/orders", "user", "orders:read"),
    Route("GET", "/v1/orders/{id}", "user", "orders:read"),
    Route("POST", "/v1/orders/{id}/cancel", "user", "orders:write", False, {"reason": "Ordered by mistake"}),
    Route("POST", "/v1/orders/{id}/returns", "user", "orders:write", True,
          {"items": [{"product_id": NOBODYS, "line": 1, "quantity": 1}], "reason": "Wrong size", "restock": False},
          ("/items/0/product_id", "/items/0/line", "/restock")),
    Route("GET", "/v1/orders/{id}/notes", "staff", "orders:manage"),
    Route("POST", "/v1/orders/{id}/notes", "staff", "orders:manage", True, {"text": "Is patient."}),
    Route("GET", "/v1/orders/{id}/invoice", "user", "orders:read"),
    Route("GET", "/v1/invoices", "staff", "orders:read"),
    Route("GET", "/v1/invoices/{number}", "user", "orders:read"),
    Route("GET", "/v1/credit-notes", "staff", "orders:read"),
    Route("GET", "/v1/credit-notes/{number}", "user", "orders:read"),
    Route("GET", "/v1/cart", "user", "orders:read"),
    Route("DELETE", "/v1/cart", "user", "orders:write"),
    Route("PUT", "/v1/cart/items/{product_id}", "user", "orders:write", False, {"quantity": 2}),
    Route("DELETE", "/v1/cart/items/{product_id}", "user", "orders:write"),
    Route("POST", "/v1/cart/merge", "user", "orders:write", False, {"id": NOBODYS, "secret": "c2VjcmV0"}),
    Route("POST", "/v1/carts", "anyone"),
    Route("GET", "/v1/carts/{id}", "anyone"),
    Route("DELETE", "/v1/carts/{id}", "anyone"),
    Route("PUT", "/v1/carts/{id}/items/{product_id}", "anyone", body={"quantity": 2, "secret": "c2VjcmV0"}),
    Route("DELETE", "/v1/carts/{id}/items/{product_id}", "anyone"),
    Route("GET", "/v1/payments", "user", "payments:read"),
    Route("GET", "/v1/payments/{order_id}", "user", "payments:read"),
    Route("POST", "/v1/payments/{order_id}/captures", "staff", "payments:write", True,
          {"amount": {"amount": 100, "currency": "EUR"}, "reason": "a parcel"}, ("/amount", "/reason")),
    Route("POST", "/v1/payments/{order_id}/refunds", "staff", "payments:write", True,
          {"amount": {"amount": 100, "currency": "EUR"}, "reason": "scratched"}, ("/amount", "/reason")),
    Route("GET", "/v1/payments/{order_id}/settlements/{id}", "staff", "payments:read"),
    Route("GET", "/v1/ledger/trial-balance", "staff", "payments:read"),
    Route("GET", "/v1/ledger/entries", "staff", "payments:read"),
    Route("POST", "/v1/webhooks/payments", "anyone"),
    Route("GET", "/", "anyone"),
    Route("GET", "/docs", "anyone"),
    Route("GET", "/openapi.json", "anyone"),
    Route("GET", "/healthz", "anyone"),
    Route("GET", "/readyz", "anyone"),
    Route("GET", "/metrics", "anyone"),
    Route("GET", "/debug/fibers", "admin"),
    Route("GET", "/debug/parked", "admin"),
    Route("POST", "/debug/parked/replay", "admin", body={"consumer": "inventory.hold_commit", "key": NOBODYS}),
]
PROTECTED = [r for r in ROUTES if r.who != "anyone"]
WITH_BODY = [r for r in ROUTES if r.body]
EITHER = {("/v1/orders", "/items")}                     # required for want of another member, which is told when the rest is right


def name_of(route):
    return f"{route.method} {route.path}" if isinstance(route, Route) else None


def at(path):
    """The path with an id that nothing has."""
    for variable in ("{id}", "{product_id}", "{order_id}"):
        path = path.replace(variable, NOBODYS)
    return path.replace("{number}", "SK-2026-00000000")


def problem(answer, status, slug=None, pointer=None):
    """A refusal in the one shape (RFC 9457); returns it."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.request.method == "HEAD":
        return None
    p = answer.json()
    assert p["status"] == status and p["title"] and p["detail"] and p["type"] == f"/docs#{p['slug']}"
    if "instance" in p:                                 # else the HTTP server refused it before it was a request
        assert p["instance"] == answer.request.url.raw_path.decode().split("?")[0] and len(p["trace_id"]) == 32
    if slug:
        assert p["slug"] == slug, p
    for e in p.get("errors", []):
        assert set(e) == {"pointer", "slug", "detail"} and e["slug"] and e["detail"]
    if pointer is not None:
        assert pointer in [e["pointer"] for e in p.get("errors", [])], p
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status in (429, 503, 504):
        assert int(answer.headers["retry-after"]) >= 1
    return p


class Market(Souk):
    """A running program without the 10,000 products."""

    def __init__(self, directory, *args, **more):
        super().__init__(directory, "--no-seed", "--access-log", "all", *args, **more)
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.tokens, self.databases, self.heard, self.forger = {}, {}, {}, None
        self.numbers = itertools.count(1)

    def __exit__(self, *_):
        self.http.close()
        for db in self.databases.values():
            db.close()
        super().__exit__()

    # ---- people --------------------------------------------------------------------------------------------------------
    def token(self, role="customer"):
        token, until = self.tokens.get(role, (None, 0))
        if time.monotonic() >= until:
            token = super().token(role)
            self.tokens[role] = token, time.monotonic() + TOKEN_SECONDS
        return token

    def sign_up(self, name="Somebody"):
        """Makes a customer; returns (id, log-in)."""
        login = {"email": f"buyer-{uuid.uuid4()}@shop.example", "password": "correct horse battery"}
        made = self.http.post("/v1/users", json={**login, "name": name})
        assert made.status_code == 201, made.text
        return made.json()["id"], login

    def log_in(self, login):
        made = self.http.post("/v1/sessions", json=login)
        assert made.status_code == 201, made.text
        return made.json()

    def sign(self, header=None, key=None, **claims):
        """A token signed by a key of the tests that the program was told of: right in everything that is not said otherwise."""
        now = int(time.time())
        whole = {"iss": self.issuer, "aud": "souk", "sub": str(uuid.uuid4()), "iat": now, "exp": now + 200, "jti": str(uuid.uuid4()), "client_id": "tests",
                 "scope": "orders:read orders:write payments:read", "roles": ["customer"], **claims}
        head = {"alg": "RS256", "typ": "at+jwt", "kid": self.forger.kid, **(header or {})}
        return jwt.encode({k: v for k, v in head.items() if v is not None}, {k: v for k, v in whole.items() if v is not None}, key or self.forger,
                          algorithms=[head["alg"]])

    def key_known(self):
        """Puts a key of our own among the retired ones, which still verify; waits until every worker has asked for keys again. The program's own
        key grows old by that: while young it would sign only for want of an older one."""
        key = jwk.RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        public = psycopg.types.json.json.dumps(key.as_dict(private=False))
        self.database("identity").execute("update signing_key set created_at = created_at - interval '1 day'")
        self.database("identity").execute("insert into signing_key (kid, created_at, retired_at, public_jwk, sealed_jwk) values (%s, 'epoch', now(), %s, '')",
                                          (key.kid, public))
        own = jwt.decode(self.token(), jwk.KeySet.import_key_set(self.http.get("/oauth2/jwks").json()))
        self.issuer, self.forger = own.claims["iss"], key
        token = self.sign(scope="orders:read")
        end = time.monotonic() + 30
        while any(super(Market, self).get("/v1/orders", token=token).status_code != 200 for _ in range(8)):    # on a connection each: of every worker
            assert time.monotonic() < end, "the program does not see a key in its database"
            self.nap(0.1)
        return key

    # ---- asking ----------------------------------------------------------------------------------------------------------
    def get(self, path, token=None, **more):
        return self.ask("GET", path, token, **more)

    def ask(self, method, path, token=None, key=None, headers=None, **more):
        """token: a role's name, or a token; key: an Idempotency-Key, True a new one."""
        if token in ("customer", "vendor", "staff", "admin"):
            token = self.token(token)
        fields = {"authorization": f"Bearer {token}"} if token else {}
        if key:
            fields["idempotency-key"] = str(uuid.uuid4()) if key is True else key
        return self.http.request(method, path, headers={**fields, **(headers or {})}, **more)

    def product(self, stock=0, price=1000, **more):
        sku = f"t-{next(self.numbers)}-{uuid.uuid4().hex[:8]}"
        made = self.ask("POST", "/v1/products", "staff", True, json={"sku": sku, "name": f"Thing {sku}", "price": {"amount": price, "currency": "EUR"}, **more})
        assert made.status_code == 201, made.text
        if stock:
            self.receive(made.json()["id"], stock)
        return made.json()["id"]

    def product_named(self, name):
        made = self.ask("POST", "/v1/products", "staff", True, json={"sku": str(uuid.uuid4()), "name": name, "price": {"amount": 1, "currency": "EUR"}})
        assert made.status_code == 201, made.text
        return made.json()["id"]

    def receive(self, product, quantity):
        got = self.ask("POST", "/v1/inventory/receipts", "staff", True, json={"items": [{"product_id": product, "quantity": quantity}]})
        assert got.status_code == 201, got.text

    def order(self, product, token="customer", quantity=1, key=True, card=None):
        body = {"items": [{"product_id": product, "quantity": quantity}]}
        if card:
            body["payment"] = {"card": card}
        return self.ask("POST", "/v1/orders", token, key, json=body)

    # ---- looking inside -----------------------------------------------------------------------------------------------------
    def conninfo(self, service):
        sock = (self.data / "pg" / "postmaster.pid").read_text().split("\n")[4]
        return psycopg.conninfo.make_conninfo(host=sock, port=5432, user="souk", dbname=f"souk_{service}")

    def database(self, service):
        db = self.databases.get(service)
        if not db or db.closed or db.broken:
            db = self.databases[service] = psycopg.connect(self.conninfo(service), autocommit=True)
        return db

    def one(self, service, sql, *args):
        return self.database(service).execute(sql, args).fetchone()[0]

    def contents(self):
        """A digest of every table that only requests change."""
        out = {}
        for service in DATABASES:
            db = self.database(service)
            names = [n for (n,) in db.execute("select tablename from pg_tables where schemaname = 'public' order by 1") if n not in MOVING]
            union = " union all ".join(f"select '{n}', count(*), md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from \"{n}\" t" for n in names)
            out.update({f"{service}.{n}": (count, digest) for n, count, digest in db.execute(union)})
        return out

    def unheard(self):
        """Events that whoever hears of their topic has not come to yet. What was heard of once is not looked at again."""
        newest = {s: self.database(s).execute("select tx, id from souk_outbox order by tx desc, id desc limit 1").fetchone() or (0, 0) for s in DATABASES}
        news, out = {s for s in DATABASES if newest[s] > self.heard.get(s, (-1, -1))}, []
        for (consumer, service), (topic, source) in HEARD.items():
            if source in news:
                place = self.database(service).execute("select tx, id, index::int8 + 1 from souk_position where consumer = %s and source = %s", (consumer, source)).fetchone()
                n = self.one(source, "select count(*) from souk_outbox, regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') with ordinality as e (line, nth)"
                             " where (tx, id) > (%s, %s) and starts_with(line, %s) and (tx, id, nth) > (%s, %s, %s)",
                             *self.heard.get(source, (-1, -1)), f'{{"topic":"{topic}",', *(place or (0, 0, 0)))
                out += [f"{n} {topic} for {consumer}"] if n else []
        if not out:
            self.heard = newest
        return out

    def moving(self):
        """What is still under way: orders without their capture, holds, settlements, warehouses that opened, webhooks, events."""
        orders = self.one("orders", "select count(*) from orders where invoice_no is not null")
        captured = self.one("payments", "select count(*) from transfer where kind = 1 and settlement is null")
        counts = {"orders without capture": orders - captured, "holds": self.one("inventory", "select count(*) from hold"),
                  "warehouses to tell of": self.one("inventory", "select count(*) from opening"),
                  "webhooks": self.one("payments", "select count(*) from webhook_event where not applied")}
        return [f"{n} {what}" for what, n in counts.items() if n] or self.unheard()

    def nap(self, seconds):
        """While something comes about that may take seconds, others compute; the program's end cuts it short."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def settle(self, seconds=60):
        """Waits until every confirmed order is captured and its hold gone, and all that was told is heard. returns how many orders there are"""
        end = time.monotonic() + seconds
        while under_way := self.moving():
            assert time.monotonic() < end, under_way
            self.nap(0.01)
        return self.one("orders", "select count(*) from orders where invoice_no is not null")

    @contextlib.contextmanager
    def unchanged(self):
        """The same in every table afterwards. What was under way comes to rest before, and nobody has to log in meanwhile, for that is a change."""
        for role, (_, until) in self.tokens.items():
            if time.monotonic() > until - TOKEN_SECONDS / 2:
                self.tokens[role] = None, 0
        for role in ("customer", "vendor", "staff", "admin"):
            self.token(role)
        self.settle()
        before = self.contents()
        yield
        after = self.contents()
        changed = [f"{k}: {before.get(k, (0,))[0]} rows before, {after.get(k, (0,))[0]} after" for k in {**before, **after} if before.get(k) != after.get(k)]
        assert not changed, f"what should change nothing changed {changed}"

    def check_books(self, *products):
        """What holds at rest: gap-free numbers, one capture an order, a ledger that sums to zero, stock that adds up."""
        self.settle()
        for year, first, last, count in self.database("orders").execute(
                "select year, min(invoice_no), max(invoice_no), count(*) from orders where invoice_no is not null group by series, year"):
            assert (first, last) == (1, count), f"invoices of {year}: {first}..{last}, {count} of them"
        confirmed = {r[0] for r in self.database("orders").execute("select id from orders where invoice_no is not null")}
        captures = [r[0] for r in self.database("payments").execute("select order_id from transfer where kind = 1")]
        assert len(captures) == len(set(captures)) and set(captures) == confirmed
        assert self.one("payments", "select coalesce(sum(amount_minor), 0) from ledger") == 0
        items = dict(self.database("orders").execute("select i.product_id, sum(i.quantity)::int8 from order_item i join orders o on o.id = i.order_id "
                                                     "where o.invoice_no is not null group by 1").fetchall())
        for p in products:
            sold, other = self.database("inventory").execute(
                "select coalesce(-sum(delta) filter (where kind = 3), 0), coalesce(sum(delta) filter (where kind <> 3), 0) from movement where product_id = %s",
                (p,)).fetchone()
            left = self.one("inventory", "select coalesce(sum(quantity), 0) from stock where product_id = %s", p)
            assert sold == items.get(uuid.UUID(p), 0) and left == other - sold >= 0


def until(what, seconds=60):
    """Asks again until it is so; what asks takes its time, so this is no busy loop."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it does not come about"
    return found


def at_once(n, fn, threads=None):
    """fn(0) ... fn(n - 1) on threads of their own."""
    with concurrent.futures.ThreadPoolExecutor(threads or n) as pool:
        return list(pool.map(fn, range(n)))
