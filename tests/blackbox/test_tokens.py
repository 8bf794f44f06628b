# SPDX-License-Identifier: Apache-2.0
"""Tokens: what Authlib and joserfc make of ours, and what the program makes of theirs."""
import base64
import hmac
import json
import time
import uuid

import authlib.jose
import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwk, jwt
from joserfc.jwk import ECKey, RSAKey

from market import problem


WHY = "the access token is not good here, or not any more: get another one"          # all that a client is told; the log knows more


def refused(market, token, **more):
    """In one shape whatever the reason: who tries out tokens learns nothing from the answers."""
    answer = market.ask("GET", "/v1/orders", token, **more)
    told = problem(answer, 401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="souk", error="invalid_token"'
    assert set(told) == {"type", "title", "status", "detail", "instance", "slug", "trace_id"} and told["detail"] == WHY
    assert answer.headers["cache-control"] == "no-store"


def b64(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token):
    return token.split(".")


# ---- ours, read by others --------------------------------------------------------------------------------------------------

def test_the_keys_are_a_jwks_of_public_halves_only(market):
    answer = market.get("/oauth2/jwks")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    for key in answer.json()["keys"]:
        assert key["kty"] == "RSA" and key["alg"] == "RS256" and key["use"] == "sig" and not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
        assert RSAKey.import_key(key).thumbprint() == key["kid"]                # RFC 7638


def test_a_token_verifies_with_two_other_libraries_and_has_the_claims_of_rfc_9068(market):
    keys = market.get("/oauth2/jwks").json()
    session = market.log_in({k: market.accounts()["staff"][k] for k in ("email", "password")})
    token = jwt.decode(session["access_token"], jwk.KeySet.import_key_set(keys), algorithms=["RS256"])
    assert token.header["typ"] == "at+jwt" and token.header["alg"] == "RS256" and token.header["kid"]
    claims = token.claims
    assert {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"} <= set(claims)
    assert claims["exp"] - claims["iat"] == session["expires_in"] == 300 and abs(claims["iat"] - time.time()) < 30
    assert claims["roles"] == ["staff"] and session["token_type"] == "Bearer" and session["scope"] == claims["scope"]
    assert claims["sub"] == market.get("/v1/me", token=session["access_token"]).json()["id"]
    other = authlib.jose.jwt.decode(session["access_token"], authlib.jose.JsonWebKey.import_key_set(keys))
    other.validate()
    assert dict(other) == dict(claims)


def test_no_two_tokens_are_alike(market):
    _, login = market.sign_up()
    one, two = (market.log_in(login) for _ in range(2))
    assert one["access_token"] != two["access_token"] and one["refresh_token"] != two["refresh_token"]


# ---- theirs ------------------------------------------------------------------------------------------------------------------

def test_a_token_of_a_known_key_is_taken(market):
    """Without this the refusals below would prove nothing."""
    assert market.ask("GET", "/v1/orders", market.sign()).status_code == 200
    assert market.ask("GET", "/v1/orders", market.sign(aud=["other", "souk"])).status_code == 200
    assert market.ask("GET", "/v1/orders", market.sign(header={"typ": "application/at+jwt"})).status_code == 200
    assert market.ask("GET", "/v1/orders", headers={"authorization": f"bEARER {market.sign()}"}).status_code == 200


CLAIMS = {
    "expired": {"exp": -1}, "expired long ago": {"exp": -10 ** 9}, "no exp": {"exp": None}, "exp a text": {"exp": "9999999999"}, "exp not finite": {"exp": 1e300},
    "another issuer": {"iss": "https://evil.example"}, "no issuer": {"iss": None}, "issuer with more": {"iss": "suffix"},
    "another audience": {"aud": "other"}, "no audience": {"aud": None}, "audiences without us": {"aud": ["a", "b"]}, "audience an object": {"aud": {"souk": 1}},
    "from tomorrow": {"iat": 86400}, "not before tomorrow": {"nbf": 86400}, "no iat": {"iat": None}, "no sub": {"sub": None}, "sub is no id": {"sub": "root"},
    "exp a fraction": {"exp": 9999999999.5}, "exp negative": {"exp": -10 ** 10}, "exp beyond int64": {"exp": 10 ** 30}, "exp true": {"exp": True}, "iat a text": {"iat": "0"},
    "nbf a text": {"nbf": "0"}, "from the year 30000": {"iat": 10 ** 12 - int(time.time())}, "sub empty": {"sub": ""}, "sub a number": {"sub": 1}, "sub zero": {"sub": "0" * 8 + "-0000-0000-0000-" + "0" * 12},
    "issuer a list": {"iss": ["x"]}, "audience a number": {"aud": 1}, "audience empty": {"aud": []}, "audience in another case": {"aud": "SOUK"}, "sid no id": {"sid": "x"},
    "a role a number": {"roles": [1]}, "roles an object": {"roles": {"admin": True}}, "roles a text": {"roles": "admin"}, "scope a list": {"scope": ["orders:read"]},
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_claim_that_is_not_right_is_401(market, what):
    claims = dict(CLAIMS[what])
    for name in ("exp", "iat", "nbf"):
        if type(claims.get(name)) is int and abs(claims[name]) < 10 ** 13:
            claims[name] += int(time.time())
    if claims.get("iss") == "suffix":
        claims["iss"] = market.issuer + "/"
    if any(v is not None for v in claims.values()) and what not in ("expired", "expired long ago", "from tomorrow", "not before tomorrow"):
        token = by_hand(market, claims)                 # a library would not sign all of it
    else:
        token = market.sign(**claims)
    refused(market, token)


def rsa(market, digest=hashes.SHA256, pss=False):
    pad = padding.PSS(padding.MGF1(digest()), digest.digest_size) if pss else padding.PKCS1v15()
    return lambda text: market.forger.get_op_key("sign").sign(text, pad, digest())


def claims_of(market, **more):
    now = int(time.time())
    return {"iss": market.issuer, "aud": "souk", "sub": str(uuid.uuid4()), "iat": now, "exp": now + 200, "roles": ["customer"], "scope": "orders:read", **more}


def header_of(market, **more):
    return {"alg": "RS256", "typ": "at+jwt", "kid": market.forger.kid, **more}


def by_hand(market, claims=None, sign=None, **header):
    """What libraries would not sign."""
    return by_bytes(market, json.dumps(header_of(market, **header)).encode(), json.dumps(claims_of(market, **(claims or {}))).encode(), sign)


def by_bytes(market, header, payload, sign=None):
    """A good signature of any two parts."""
    text = f"{b64(header)}.{b64(payload)}"
    return text + "." + b64((sign or rsa(market))(text.encode()))


def test_a_token_made_by_hand_is_taken_when_it_is_right(market):
    assert market.ask("GET", "/v1/orders", by_hand(market)).status_code == 200


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt2", "dpop+jwt", None, "logout+jwt"])
def test_another_type_of_token_is_401(market, typ):
    refused(market, market.sign(header={"typ": typ}))


def test_without_a_signature_it_is_401(market):
    _, payload, signature = parts(market.sign())
    for alg in ("none", "None", "NONE", "nOnE", ""):
        for end in ("", signature):
            refused(market, f"{b64({'alg': alg, 'typ': 'at+jwt', 'kid': market.forger.kid})}.{payload}.{end}")
    refused(market, f"{b64({'typ': 'at+jwt', 'kid': market.forger.kid})}.{payload}.{signature}")


def test_the_public_key_is_no_secret_for_an_hmac(market):
    """CVE-2015-9235: a checker that takes the algorithm from the header."""
    public, der = market.forger.as_pem(private=False), market.forger.as_der(private=False)
    text = json.dumps(market.forger.as_dict(private=False)).encode()
    for alg in ("HS256", "HS384", "HS512"):
        for secret in (public, public.strip(), der, text, b"", b"x" * 32):
            refused(market, by_hand(market, sign=lambda t, s=secret, a=alg: hmac.digest(s, t, "sha" + a[2:]), alg=alg))
            refused(market, by_hand(market, sign=lambda t, s=secret: hmac.digest(s, t, "sha256")))


def test_the_key_decides_the_algorithm(market):
    for alg, sign in (("RS384", rsa(market, hashes.SHA384)), ("RS512", rsa(market, hashes.SHA512)), ("PS256", rsa(market, pss=True)), ("RS384", rsa(market)),
                      ("rs256", rsa(market)), ("RS256", rsa(market, hashes.SHA384)), ("RS256", rsa(market, pss=True))):
        refused(market, by_hand(market, sign=sign, alg=alg))


def test_keys_that_are_not_ours_are_401(market):
    other = RSAKey.generate_key(2048)
    refused(market, market.sign(key=other))                                             # our kid, their key
    refused(market, market.sign(header={"kid": "somebody"}, key=other))
    refused(market, market.sign(header={"kid": None}))
    refused(market, market.sign(header={"kid": ""}))
    refused(market, market.sign(header={"kid": "../../../../dev/null"}))
    refused(market, market.sign(header={"kid": "' or 1=1 --"}))
    for kid in ("x" * 128, "x" * 129, "x" * 2000, market.forger.kid + "x", market.forger.kid[:-1], market.forger.kid.upper(), f" {market.forger.kid}", market.forger.kid + "\0", "\u202e", "%s%n"):
        refused(market, by_hand(market, kid=kid))
    for kid in (1, None, [market.forger.kid], {"kid": market.forger.kid}, True):
        refused(market, by_hand(market, kid=kid))
    refused(market, market.sign(header={"alg": "ES256"}, key=ECKey.generate_key("P-256")))


@pytest.mark.parametrize("header", [{"x5c": ["MIIB"]}, {"crit": []}, {"crit": ["http://example.org/unknown"], "http://example.org/unknown": True}, {"enc": "A128GCM"},
                                    {"typ": "at+jwt", "alg": ["RS256"]}, {"alg": {"RS256": 1}}, {"alg": 256}, {"alg": "RS256 "}, {"alg": "RS256\0"}, {"jwk": {"kty": "oct", "k": "AA"}}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/"}, {"crit": ["exp"]},
                                    {"b64": False, "crit": ["b64"]}, {"zip": "DEF"}], ids=str)
def test_headers_that_change_the_rules_are_401(market, header):
    refused(market, by_hand(market, **header))


def test_a_key_in_the_header_is_not_looked_at(market):
    """CVE-2018-0114: a checker that takes the key from the token."""
    own = RSAKey.generate_key(2048)
    refused(market, by_hand(market, sign=lambda t: own.get_op_key("sign").sign(t, padding.PKCS1v15(), hashes.SHA256()), jwk=own.as_dict(private=False)))
    refused(market, by_hand(market, jwk=market.forger.as_dict(private=False)))


def test_what_two_readers_could_read_differently_is_401(market):
    header, claims = (json.dumps(v).encode() for v in (header_of(market), claims_of(market)))
    assert market.ask("GET", "/v1/orders", by_bytes(market, header, claims)).status_code == 200
    twice = [claims[:-1] + b', "roles": ["admin"]}', claims[:-1] + b', "r\\u006fles": ["admin"]}', b'{"exp": 1, ' + claims[1:], claims[:-1] + b', "sub": null}']
    broken = [claims[:-1], claims + b"}", claims + claims, b"[" + claims + b"]", b"null", b"", b'"' + claims.replace(b'"', b'\\"') + b'"', b"\xef\xbb\xbf" + claims, claims + b"\0", claims.replace(b'"', b"'"),
              claims[:-1] + b', "x": "\xff"}', claims[:-1] + b', "x": "\\ud800"}', claims[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}", claims[:-1] + b', "x": NaN}', claims[:-1] + b",}",
              claims.decode().encode("utf-16"), b"/**/" + claims]
    for payload in twice + broken:
        refused(market, by_bytes(market, header, payload))
    for other in (header[:-1] + b', "alg": "none"}', b'{"alg": "none", ' + header[1:], header[:-1] + b', "kid": "x"}', header[:-1] + b', "crit": null}', header[:-1], b"[" + header + b"]", b"{}", b"",
                  header[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}", header.decode().encode("utf-16"), header.replace(b'"alg"', b'"ALG"'), header.replace(b'"typ"', b'"Typ"')):
        refused(market, by_bytes(market, other, claims))


def test_a_token_has_one_spelling(market):
    token = market.sign()
    head, payload, signature = parts(token)
    for part, others in ((0, head), (1, payload), (2, signature)):
        for end in ("=", "==", "A", "AA", "AAA", "AAAA", "%3d", "-", "_", "+", "/"):
            three = [head, payload, signature]
            three[part] = others + end
            refused(market, None, headers={"authorization": f"Bearer {'.'.join(three)}"})
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for step in (1, 2, 3, 4, 8, 16, 32):                # 342 characters of 6 bits for 2,048: the last has four that stand for nothing
        refused(market, token[:-1] + last[last.index(token[-1]) ^ step])
    raw = base64.urlsafe_b64decode(signature + "==")
    for other in (raw[:-1], raw[1:], raw + b"\0", b"\0" + raw, raw + raw, b"", bytes(256), b"\xff" * 256):
        refused(market, f"{head}.{payload}.{b64(other)}")
    refused(market, f"{head}.{payload}.{base64.b64encode(raw).decode()}")
    assert market.ask("GET", "/v1/orders", token).status_code == 200


def test_how_long_a_token_may_be_and_how_far_a_clock_may_be_off(market):
    now = int(time.time())
    at_most = market.sign(pad="")
    longest = market.sign(pad="x" * ((4096 - len(at_most)) * 3 // 4))
    assert 4090 <= len(longest) <= 4096 and market.ask("GET", "/v1/orders", longest).status_code == 200
    for more in (9, 100, 3000):
        refused(market, market.sign(pad="x" * ((4096 - len(at_most)) * 3 // 4 + more)))
    assert market.ask("GET", "/v1/orders", market.sign(iat=now + 40, nbf=now + 40)).status_code == 200
    refused(market, market.sign(iat=now + 120))
    refused(market, market.sign(nbf=now + 120))
    refused(market, market.sign(exp=now - 1))           # no grace for what is over
    assert market.ask("GET", "/v1/orders", market.sign(exp=2 ** 40)).status_code == 200


def test_a_changed_token_is_401(market):
    head, payload, signature = parts(market.sign())
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    refused(market, f"{head}.{b64({**claims, 'roles': ['admin']})}.{signature}")
    refused(market, f"{head}.{payload}.{signature[:-4]}AAAA")
    refused(market, f"{head}.{payload}.{signature[:-20]}")
    for text in ("a", "a.b", "a.b.c", "..", "...", f"{head}.{payload}", f"{head}.{payload}.{signature}.x", f"{head}.{payload}.{signature}==", "x" * 5000,
                 f"{payload}.{head}.{signature}", "%00", f"{head} {payload} {signature}"):
        answer = market.ask("GET", "/v1/orders", headers={"authorization": f"Bearer {text}"})
        problem(answer, 401, "invalid_token")


def test_only_one_authorization_field(market):
    good, bad = f"Bearer {market.sign()}", f"Bearer {market.sign(exp=int(time.time()) - 1)}"
    for pair in ((good, bad), (bad, good), (good, good)):
        problem(market.http.get("/v1/orders", headers=[("authorization", value) for value in pair]), 401, "invalid_token")


def test_a_token_in_the_query_is_no_token(market):
    problem(market.get(f"/v1/me?access_token={market.sign()}"), 401, "missing_token")


# ---- sessions ------------------------------------------------------------------------------------------------------------------

def refresh(market, token):
    return market.http.post("/v1/sessions/refresh", json={"refresh_token": token})


def test_refreshing_rotates_and_a_spent_token_ends_the_session(market):
    _, login = market.sign_up()
    first = market.log_in(login)["refresh_token"]
    second = refresh(market, first).json()["refresh_token"]
    third = refresh(market, second).json()
    assert market.get("/v1/me", token=third["access_token"]).status_code == 200
    problem(refresh(market, first), 401, "invalid_refresh_token")
    problem(refresh(market, third["refresh_token"]), 401, "invalid_refresh_token")      # the whole family ended
    problem(refresh(market, second), 401, "invalid_refresh_token")


def test_a_changed_refresh_token_ends_nothing(market):
    _, login = market.sign_up()
    token = market.log_in(login)["refresh_token"]
    for i in range(0, len(token) - 1, 7):
        other = token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:]
        problem(refresh(market, other), 401, "invalid_refresh_token")
    assert refresh(market, token).status_code == 200


def test_logging_out_ends_the_refresh_tokens(market):
    _, login = market.sign_up()
    session, other = market.log_in(login), market.log_in(login)
    assert market.ask("DELETE", "/v1/sessions/current", session["access_token"]).status_code == 204
    problem(refresh(market, session["refresh_token"]), 401)
    assert refresh(market, other["refresh_token"]).status_code == 200


def test_a_rotation_of_keys_logs_nobody_out(market):
    _, login = market.sign_up()
    session = market.log_in(login)
    kids = {k["kid"] for k in market.get("/oauth2/jwks").json()["keys"]}
    made = market.ask("POST", "/v1/keys", "admin")
    assert made.status_code == 201 and made.json()["kid"] not in kids
    for _ in range(6):                                  # whichever worker answers
        assert market.get("/v1/me", token=session["access_token"]).status_code == 200
        fresh = market.log_in(login)["access_token"]    # signed by a key that everybody knows
        assert httpx.get(market.url + "/v1/me", headers={"authorization": f"Bearer {fresh}"}).status_code == 200
    assert made.json()["kid"] in {k["kid"] for k in market.get("/oauth2/jwks").json()["keys"]}
    assert refresh(market, session["refresh_token"]).status_code == 200
    private = market.one("identity", "select string_agg(encode(sealed_jwk, 'escape'), '') from signing_key")
    assert '"d"' not in private and "kty" not in private


@pytest.mark.slow
def test_a_token_of_a_key_that_is_gone_is_401_though_it_was_taken_before(market):
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    market.database("identity").execute("insert into signing_key (kid, created_at, retired_at, public_jwk, sealed_jwk) values (%s, 'epoch', now(), %s, '')",
                                        (key.kid, json.dumps(key.as_dict(private=False))))
    token = market.sign(header={"kid": key.kid}, key=key)
    until(lambda: all(httpx.get(market.url + "/v1/orders", headers={"authorization": f"Bearer {token}"}).status_code == 200 for _ in range(8)))
    market.database("identity").execute("delete from signing_key where kid = %s", (key.kid,))
    unknown = market.sign(header={"kid": "unknown"}, key=key)       # keys are asked for again when a token names one that nobody knows

    def is_gone():
        httpx.get(market.url + "/v1/orders", headers={"authorization": f"Bearer {unknown}"})
        return httpx.get(market.url + "/v1/orders", headers={"authorization": f"Bearer {token}"}).status_code == 401
    until(lambda: all(is_gone() for _ in range(8)))
    refused(market, token)


def until(holds, seconds=40):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"


def test_wrong_passwords_and_unknown_names_get_the_same_answer_and_are_slowed_down(market):
    _, login = market.sign_up()
    wrong = problem(market.http.post("/v1/sessions", json={**login, "password": "not this one"}), 401, "wrong_credentials")
    unknown = problem(market.http.post("/v1/sessions", json={**login, "email": f"{uuid.uuid4()}@shop.example"}), 401, "wrong_credentials")
    assert {k: v for k, v in wrong.items() if k != "trace_id"} == {k: v for k, v in unknown.items() if k != "trace_id"}
    answers = [market.http.post("/v1/sessions", json={**login, "password": f"guess {i}"}) for i in range(30)]
    assert answers[-1].status_code == 429
    problem(answers[-1], 429, "too_many_attempts")
    problem(market.http.post("/v1/sessions", json=login), 429)                          # the right one as well: it could be the guess
    assert market.log_in(market.sign_up()[1])                                           # others are not hit


def test_an_account_is_made_once_whatever_the_case(market):
    login = {"email": f"Once-{uuid.uuid4()}@Shop.example", "password": "correct horse battery", "name": "Once"}
    assert market.http.post("/v1/users", json=login).status_code == 201
    problem(market.http.post("/v1/users", json=login), 409, "email_taken")
    problem(market.http.post("/v1/users", json={**login, "email": login["email"].upper()}), 409, "email_taken")
    assert market.log_in({"email": login["email"].lower(), "password": login["password"]})
    stored = market.one("identity", "select password from users where email = %s", login["email"])
    assert stored.startswith("$argon2id$")
