# SPDX-License-Identifier: Apache-2.0
"""People: their own accounts, addresses and sessions, and what administrators do with others', as clients see it."""
import json
import uuid

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from market import NOBODYS, at_once, problem
from souk import last_json, run

HOME = {"name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH", "country": "GB"}
MERGE = {"content-type": "application/merge-patch+json"}


class Person:
    """A new customer who is logged in."""

    def __init__(self, market, name="Ada Lovelace"):
        self.market, self.name = market, name
        self.id, self.login = market.sign_up(name)
        self.session = market.log_in(self.login)

    def ask(self, method, path, **more):
        return self.market.ask(method, path, self.session["access_token"], **more)

    def change(self, method, path, json=None):
        """Reads, then changes what was read."""
        tag = self.ask("GET", path).headers["etag"]
        return self.ask(method, path, json=json, headers={"if-match": tag})

    def address(self, **more):
        made = self.ask("POST", "/v1/me/addresses", key=True, json={**HOME, **more})
        assert made.status_code == 201, made.text
        return made.json()

    def renew(self):
        answer = self.market.http.post("/v1/sessions/refresh", json={"refresh_token": self.session["refresh_token"]})
        if answer.status_code == 200:
            self.session = answer.json()
        return answer


@pytest.fixture()
def ada(market):
    return Person(market)


def change_as(market, role, method, path, body=None):
    tag = market.ask("GET", path, role).headers["etag"]
    return market.ask(method, path, role, json=body, headers={"if-match": tag})


# ---- one's own account ---------------------------------------------------------------------------------------------------------

def test_an_account_is_read_once_and_then_only_when_it_changed(ada):
    first = ada.ask("GET", "/v1/me")
    assert first.json() == {"id": ada.id, "email": ada.login["email"], "name": ada.name, "role": "customer", "blocked": False, "version": 1,
                            "created_at": first.json()["created_at"], "updated_at": first.json()["created_at"]}
    assert first.headers["cache-control"] == "no-store"
    again = ada.ask("GET", "/v1/me", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    assert ada.change("PATCH", "/v1/me", {"name": "Ada King"}).json()["version"] == 2
    assert ada.ask("GET", "/v1/me", headers={"if-none-match": first.headers["etag"]}).json()["name"] == "Ada King"


def test_two_who_read_the_same_do_not_overwrite_each_other(ada):
    tag = ada.ask("GET", "/v1/me").headers["etag"]
    answers = at_once(6, lambda i: ada.ask("PATCH", "/v1/me", json={"name": f"Name {i}"}, headers={"if-match": tag}))
    assert sorted(a.status_code for a in answers) == [200] + [412] * 5
    won = next(a for a in answers if a.status_code == 200).json()
    assert ada.ask("GET", "/v1/me").json() == won and won["version"] == 2


@pytest.mark.parametrize("member", [{"role": "admin"}, {"blocked": True}, {"id": NOBODYS}, {"version": 9}, {"created_at": "2020-01-01T00:00:00Z"}, {"scope": "users:write"}],
                         ids=lambda m: next(iter(m)))
def test_nobody_makes_more_of_themselves(ada, member):
    name = next(iter(member))
    problem(ada.change("PATCH", "/v1/me", member), 400, "invalid", f"/{name}")
    if name != "role":
        problem(ada.market.http.post("/v1/users", json={"email": f"{uuid.uuid4()}@shop.example", "password": "correct horse", "name": "N", **member}), 400, "invalid", f"/{name}")
    problem(ada.ask("PATCH", f"/v1/users/{ada.id}", json=member, headers={"if-match": "*"}), 403, "forbidden")
    assert ada.ask("GET", "/v1/me").json()["version"] == 1


def test_an_account_of_one_who_may_not_give_the_role_or_leave_the_password_out_is_not_made(quiet):
    body = {"email": f"{uuid.uuid4()}@shop.example", "name": "N"}
    for role in (None, "customer", "vendor"):
        problem(quiet.ask("POST", "/v1/users", role, json=body), 400, "invalid", "/password")
        problem(quiet.ask("POST", "/v1/users", role, json={**body, "password": "correct horse", "role": "vendor"}), 403, "role_not_yours_to_give", "/role")
    for role in ("staff", "admin"):
        problem(quiet.ask("POST", "/v1/users", "staff", json={**body, "role": role}), 403, "role_not_yours_to_give", "/role")


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=110))
@example("'; update users set role = 3; --")
@example("\u202eevil\u202c")
@example("\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20)
@example("e\u0301" * 50)
@example("\x00")
def test_a_name_is_kept_as_it_is_or_refused_by_name(ada, name):
    answer = ada.change("PATCH", "/v1/me", {"name": name})
    if 1 <= len(name) <= 100 and "\0" not in name:
        assert answer.status_code == 200 and answer.json()["name"] == ada.ask("GET", "/v1/me").json()["name"] == name
    else:
        problem(answer, 400, "invalid", "/name")


def test_one_address_is_one_account_whatever_its_case(ada, market):
    twin = {**ada.login, "email": ada.login["email"].upper(), "name": "Twin"}
    problem(market.http.post("/v1/users", json=twin), 409, "email_taken", "/email")
    other = Person(market)
    problem(other.change("PATCH", "/v1/me", {"email": twin["email"], "password": other.login["password"]}), 409, "email_taken", "/email")
    assert market.http.post("/v1/sessions", json={**ada.login, "email": twin["email"]}).status_code == 201
    for strange in ("\u212aelvin@shop.example", "\uff41da@shop.example", "ada@sh\u00f6p.example", "ada@shop.example\u200b"):      # no look-alikes
        problem(market.http.post("/v1/users", json={**twin, "email": strange}), 400, "invalid", "/email")


def test_another_address_needs_the_password(ada, market):
    new = f"king-{uuid.uuid4()}@shop.example"
    problem(ada.change("PATCH", "/v1/me", {"email": new}), 400, "invalid", "/password")
    problem(ada.change("PATCH", "/v1/me", {"email": new, "password": "wrong horse"}), 403, "wrong_password", "/password")
    changed = ada.change("PATCH", "/v1/me", {"email": new, "password": ada.login["password"]})
    assert changed.status_code == 200 and changed.json()["email"] == new and "password" not in changed.text
    problem(market.http.post("/v1/sessions", json=ada.login), 401, "wrong_credentials")
    assert market.http.post("/v1/sessions", json={**ada.login, "email": new}).status_code == 201


def test_a_new_password_ends_the_other_sessions(ada, market):
    phone = Person.__new__(Person)
    phone.market, phone.session = market, market.log_in(ada.login)
    body = {"current_password": ada.login["password"], "new_password": "staple wrong donkey"}
    problem(ada.ask("PUT", "/v1/me/password", json={**body, "current_password": "wrong horse"}), 403, "wrong_password", "/current_password")
    assert ada.ask("PUT", "/v1/me/password", json=body).status_code == 204
    problem(phone.renew(), 401, "invalid_refresh_token")
    assert ada.renew().status_code == 200
    problem(market.http.post("/v1/sessions", json=ada.login), 401, "wrong_credentials")
    assert market.log_in({**ada.login, "password": "staple wrong donkey"})


# ---- addresses ---------------------------------------------------------------------------------------------------------------

def defaults(person):
    return [a["id"] for a in person.ask("GET", "/v1/me/addresses?limit=100").json()["items"] if a["is_default"]]


def test_addresses_one_of_which_is_the_default(ada):
    home, work = ada.address(), ada.address(line1="1 Work Street")
    assert home["is_default"] and not work["is_default"] and "line2" not in home
    assert ada.change("PATCH", f"/v1/me/addresses/{work['id']}", {"is_default": True}).json()["is_default"]
    assert defaults(ada) == [work["id"]]
    problem(ada.change("PATCH", f"/v1/me/addresses/{work['id']}", {"is_default": False}), 409, "default_address_needed", "/is_default")
    replaced = ada.change("PUT", f"/v1/me/addresses/{home['id']}", {**HOME, "line1": "2 Home Street", "line2": "Left"})
    assert replaced.json() == {**home, "line1": "2 Home Street", "line2": "Left", "is_default": False, "version": 3, "updated_at": replaced.json()["updated_at"]}
    assert "line2" not in ada.change("PATCH", f"/v1/me/addresses/{home['id']}", {"line2": None}).json()
    assert ada.change("DELETE", f"/v1/me/addresses/{work['id']}").status_code == 204
    assert defaults(ada) == [home["id"]]
    problem(ada.ask("GET", f"/v1/me/addresses/{work['id']}"), 404, "no_such_address")


def test_what_was_just_made_is_changed_by_the_tag_its_making_gave(ada, market):
    made = ada.ask("POST", "/v1/me/addresses", key=True, json=HOME)
    path = made.headers["location"]
    assert ada.ask("PATCH", path, json={"city": "Rome"}, headers={"if-match": made.headers["etag"], **MERGE}).status_code == 200
    problem(ada.ask("PATCH", path, json={"city": "Oslo"}, headers={"if-match": made.headers["etag"]}), 412, "stale")
    made = market.ask("POST", "/v1/users", "staff", json={"email": f"{uuid.uuid4()}@shop.example", "name": "New"})
    assert market.ask("PATCH", made.headers["location"], "admin", json={"name": "Newer"}, headers={"if-match": made.headers["etag"]}).json()["name"] == "Newer"


def test_whoever_wants_to_be_the_default_at_once_there_is_one(ada):
    places = [ada.address(line1=f"{i} Street")["id"] for i in range(8)]
    answers = at_once(8, lambda i: ada.ask("PATCH", f"/v1/me/addresses/{places[i]}", json={"is_default": True}, headers={"if-match": "*"}))
    assert {a.status_code for a in answers} <= {200, 409} and len(defaults(ada)) == 1
    at_once(8, lambda i: ada.ask("DELETE", f"/v1/me/addresses/{places[i]}", headers={"if-match": "*"}) if i < 6
            else ada.ask("PATCH", f"/v1/me/addresses/{places[i]}", json={"is_default": True}, headers={"if-match": "*"}))
    assert len(defaults(ada)) == 1 and len(ada.ask("GET", "/v1/me/addresses").json()["items"]) == 2


def test_twenty_addresses_and_no_more_however_many_come_at_once(ada):
    answers = at_once(30, lambda i: ada.ask("POST", "/v1/me/addresses", key=True, json=HOME))
    assert sum(a.status_code == 201 for a in answers) == 20
    for a in answers:
        if a.status_code != 201:
            problem(a, 409, "too_many_addresses")
    assert len(ada.ask("GET", "/v1/me/addresses?limit=100").json()["items"]) == 20 and len(defaults(ada)) == 1


def test_an_address_sent_again_at_once_is_one(ada):
    key = str(uuid.uuid4())
    answers = at_once(6, lambda i: ada.ask("POST", "/v1/me/addresses", key=key, json=HOME))
    assert {a.status_code for a in answers} <= {201, 409} and 201 in {a.status_code for a in answers}
    assert len(ada.ask("GET", "/v1/me/addresses").json()["items"]) == 1


def test_somebody_elses_address_session_and_account_are_404_as_if_they_were_not_there(ada, market):
    bob = Person(market, "Bob")
    address, session = ada.address()["id"], ada.ask("GET", "/v1/sessions/current").json()["id"]
    with market.unchanged():
        for method, path, body in (("GET", "/v1/me/addresses/{}", None), ("PUT", "/v1/me/addresses/{}", HOME), ("PATCH", "/v1/me/addresses/{}", {"city": "Rome"}),
                                   ("DELETE", "/v1/me/addresses/{}", None), ("DELETE", "/v1/sessions/{}", None), ("GET", "/v1/users/{}", None)):
            mine = {"/v1/me/addresses/{}": address, "/v1/sessions/{}": session, "/v1/users/{}": ada.id}[path]
            match = {"if-match": "*"} if "addresses" in path and method != "GET" else {}
            theirs, none = (problem(bob.ask(method, path.format(i), json=body, headers=match), 404) for i in (mine, NOBODYS))
            assert all(theirs[k] == none[k] for k in ("type", "title", "status", "detail", "slug"))
        problem(bob.ask("PATCH", f"/v1/me/addresses/{NOBODYS}", json={"unheard_of": 1}, headers={"if-match": "*"}), 400, "invalid", "/unheard_of")


# ---- sessions ----------------------------------------------------------------------------------------------------------------

def test_sessions_are_seen_and_ended(ada, market):
    phone, tablet = (market.log_in(ada.login) for _ in range(2))
    seen = ada.ask("GET", "/v1/sessions").json()["items"]
    assert len(seen) == 3 and [s["current"] for s in seen] == [False, False, True] and {s["address"] for s in seen} == {"127.0.0.1"}
    assert market.get("/v1/sessions/current", token=phone["access_token"]).json() == {**seen[1], "current": True}
    assert ada.ask("DELETE", f"/v1/sessions/{seen[0]['id']}").status_code == 204
    problem(ada.ask("DELETE", f"/v1/sessions/{seen[0]['id']}"), 404, "no_such_session")
    problem(market.http.post("/v1/sessions/refresh", json={"refresh_token": tablet["refresh_token"]}), 401, "invalid_refresh_token")
    assert ada.ask("DELETE", "/v1/sessions/others").status_code == 204
    problem(market.http.post("/v1/sessions/refresh", json={"refresh_token": phone["refresh_token"]}), 401, "invalid_refresh_token")
    assert ada.renew().status_code == 200
    assert [s["current"] for s in ada.ask("GET", "/v1/sessions").json()["items"]] == [True]


# ---- leaving, and taking one's data along ---------------------------------------------------------------------------------------

def test_who_leaves_leaves_the_orders_and_nothing_of_the_person(market):
    name = f"Vanishing {uuid.uuid4()}"
    gone = Person(market, name)
    place = f"{uuid.uuid4()} Gone Street"
    gone.address(line1=place)
    order = market.order(market.product(stock=3), gone.session["access_token"]).json()
    market.settle()
    problem(gone.ask("POST", "/v1/me/deletion", json={"password": "wrong horse"}), 403, "wrong_password", "/password")
    assert gone.ask("POST", "/v1/me/deletion", json={"password": gone.login["password"]}).status_code == 204
    problem(gone.ask("GET", "/v1/me"), 404, "no_such_user")
    problem(gone.renew(), 401, "invalid_refresh_token")
    problem(market.http.post("/v1/sessions", json=gone.login), 401, "wrong_credentials")
    problem(market.get(f"/v1/users/{gone.id}", token="admin"), 404, "no_such_user")
    assert market.get(f"/v1/users?q={gone.login['email']}", token="staff").json()["items"] == []
    assert market.get(f"/v1/orders/{order['id']}", token="staff").json()["id"] == order["id"]
    for table in ("users", "address", "session", "souk_idempotency"):
        text = market.one("identity", f"select coalesce(string_agg(t::text, ' '), '') from {table} t")
        assert not any(word in text for word in (name, place, gone.login["email"])), table
    assert market.one("identity", "select count(*) from users where id = %s", gone.id) == 1
    assert market.http.post("/v1/users", json={**gone.login, "name": "Another"}).status_code == 201


def test_an_export_is_a_file_with_all_of_ones_own(ada):
    home = ada.address()
    answer = ada.ask("GET", "/v1/me/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="account.json"' and answer.headers["content-type"] == "application/json"
    everything = json.loads(answer.content)
    assert everything["user"] == ada.ask("GET", "/v1/me").json() and everything["addresses"] == [home]
    assert everything["sessions"] == ada.ask("GET", "/v1/sessions").json()["items"]
    for place in everything["elsewhere"]:
        if "{" not in place["path"]:
            assert ada.ask("GET", place["path"]).status_code == 200
    problem(ada.ask("GET", "/v1/me/export?of=everybody"), 400, pointer="of")


# ---- administrators --------------------------------------------------------------------------------------------------------------

def test_a_new_role_comes_with_the_next_token(ada, market):
    path = f"/v1/users/{ada.id}"
    changed = change_as(market, "admin", "PATCH", path, {"role": "staff"})
    assert changed.status_code == 200 and changed.json()["role"] == "staff"
    problem(ada.ask("GET", "/v1/users"), 403, "forbidden")
    assert ada.renew().status_code == 200 and "users:read" in ada.session["scope"]
    assert ada.ask("GET", "/v1/users?limit=1").status_code == 200
    problem(ada.ask("PATCH", path, json={"role": "admin"}, headers={"if-match": "*"}), 403, "forbidden")
    assert change_as(market, "admin", "PATCH", path, {"role": "customer"}).json()["role"] == "customer"
    assert ada.renew().status_code == 200
    problem(ada.ask("GET", "/v1/users"), 403, "forbidden")


def test_the_last_administrator_stays(market):
    path = f"/v1/users/{market.get('/v1/me', token='admin').json()['id']}"
    with market.unchanged():
        for body in ({"role": "staff"}, {"blocked": True}):
            problem(change_as(market, "admin", "PATCH", path, body), 409, "last_admin")
        problem(change_as(market, "admin", "DELETE", path), 409, "last_admin")


def test_a_block_ends_sessions_at_once_and_access_within_five_minutes(ada, market):
    path = f"/v1/users/{ada.id}"
    assert change_as(market, "admin", "PATCH", path, {"blocked": True}).json()["blocked"] is True
    problem(ada.renew(), 401, "invalid_refresh_token")
    problem(market.http.post("/v1/sessions", json=ada.login), 403, "account_blocked")
    problem(market.http.post("/v1/sessions", json={**ada.login, "password": "wrong horse"}), 401, "wrong_credentials")
    problem(ada.ask("GET", "/v1/me"), 403, "account_blocked")
    assert ada.ask("GET", "/v1/orders").status_code == 200              # as documented: its token lives out its minutes
    assert market.get("/v1/users?blocked=true&limit=100", token="staff").text.count(ada.id) == 1
    assert change_as(market, "admin", "PATCH", path, {"blocked": False}).json()["blocked"] is False
    assert market.log_in(ada.login)


def test_no_session_outlives_a_block_however_the_log_in_meets_it(market):
    for _ in range(4):
        person = Person(market)
        answers = at_once(6, lambda i, p=person: market.ask("PATCH", f"/v1/users/{p.id}", "admin", json={"blocked": True}, headers={"if-match": "*"}) if i == 3
                          else market.http.post("/v1/sessions", json=p.login))
        assert answers[3].status_code == 200 and {a.status_code for a in answers} <= {200, 201, 401, 403}
        assert market.one("identity", "select count(*) from session where user_id = %s and revoked_at is null", person.id) == 0


def test_users_brought_over_log_in_once_they_have_a_password(market):
    login = {"email": f"{uuid.uuid4()}@shop.example", "password": "a brand new one"}
    made = market.ask("POST", "/v1/users", "staff", json={"email": login["email"], "name": "Over"})
    assert made.status_code == 201 and made.headers["location"] == f"/v1/users/{made.json()['id']}"
    assert market.get(made.headers["location"], token="staff").json() == made.json()
    problem(market.http.post("/v1/sessions", json=login), 401, "wrong_credentials")
    problem(market.http.post("/v1/sessions", json={**login, "password": ""}), 401, "wrong_credentials")
    problem(market.ask("PUT", f"/v1/users/{made.json()['id']}/password", "staff", json={"password": login["password"]}), 403, "forbidden")
    assert market.ask("PUT", f"/v1/users/{made.json()['id']}/password", "admin", json={"password": login["password"]}).status_code == 204
    assert market.log_in(login)


@pytest.mark.parametrize("sort", ["email", "-email", "created_at", "-created_at"])
def test_users_are_walked_page_by_page_both_ways(market, sort):
    mark = uuid.uuid4().hex
    for i in range(7):
        assert market.ask("POST", "/v1/users", "staff", json={"email": f"{'ab'[i % 2]}{i}-{mark}@shop.example", "name": "Walked"}).status_code == 201
    whole = market.get(f"/v1/users?q={mark}&sort={sort}&limit=100", token="staff").json()["items"]
    key = sort.lstrip("-")
    assert len(whole) == 7 and [u[key] for u in whole] == sorted((u[key] for u in whole), reverse=sort[0] == "-")
    page, pages = market.get(f"/v1/users?q={mark}&sort={sort}&limit=3", token="staff").json(), []
    while True:
        pages.append(page["items"])
        if "next" not in page:
            break
        page = market.get(page["next"], token="staff").json()
    assert [u for p in pages for u in p] == whole and [len(p) for p in pages] == [3, 3, 1]
    assert market.get(page["prev"], token="staff").json()["items"] == pages[1]


# ---- what it says about itself ------------------------------------------------------------------------------------------------------

def test_a_key_is_replaced_by_a_command_and_nobody_is_logged_out(ada, market):
    def kids():
        return [k["kid"] for k in market.get("/oauth2/jwks").json()["keys"]]
    before = kids()
    done = run("keys", "rotate", "--data", str(market.data), "--json")
    assert done.returncode == 0, done.stderr
    made = last_json(done)["kid"]
    assert made not in before
    listed = last_json(run("keys", "list", "--data", str(market.data), "--json"))["keys"]
    assert listed[0]["kid"] == made and listed[0]["state"] == "ripens" and {k["kid"] for k in listed} >= set(before)
    assert "private" not in str(listed) and ada.ask("GET", "/v1/me").status_code == 200 and ada.renew().status_code == 200
    assert made in run("keys", "list", "--url", market.url, "--data", "/nowhere", SOUK_TOKEN=market.token("admin")).stdout
    refused = run("keys", "rotate", "--url", market.url, "--data", "/nowhere", SOUK_TOKEN=market.token("staff"))
    assert refused.returncode == 1 and "role" in refused.stderr + refused.stdout
    assert run("keys", "rotate", "--url", market.url, "--data", "/nowhere").returncode == 1
    assert len(market.get("/v1/keys", token="admin").json()["items"]) == len(listed)


def test_discovery_says_what_is_true(market):
    said = market.get("/.well-known/openid-configuration").json()
    assert said["issuer"] == market.issuer
    assert said["jwks_uri"].startswith(market.issuer) and market.get(said["jwks_uri"][len(market.issuer):]).json()["keys"]
    scopes = {o["x-scope"] for what in market.get("/openapi.json").json()["paths"].values() for o in what.values() if "x-scope" in o}
    assert scopes and scopes <= set(said["scopes_supported"])
    assert not any(m.endswith("_endpoint") for m in said)
