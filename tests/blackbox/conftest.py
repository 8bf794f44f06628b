# SPDX-License-Identifier: Apache-2.0
"""One marketplace for all modules that do not end it."""
import pytest

from market import Market


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    top = tmp_path_factory.mktemp("market")
    top.chmod(0o711)                                    # a database that runs as another user must get through
    with Market(top) as m:
        m.key_known()
        yield m


@pytest.fixture()
def quiet(market):
    """The market, which must have the same in its databases afterwards."""
    for role in ("customer", "vendor", "staff", "admin"):
        market.token(role)                              # a log-in would be a change
    market.settle()
    with market.unchanged():
        yield market


@pytest.fixture(scope="session")
def strangers_order(market):
    """(log-in, order) of a customer with a confirmed order."""
    market.token("customer")
    _, login = market.sign_up("Stranger")
    answer = market.order(market.product(stock=5), market.log_in(login)["access_token"])
    assert answer.status_code == 201, answer.text
    return login, answer.json()


@pytest.fixture()
def stranger(market, strangers_order):
    """The same customer, logged in just now: (token, order)."""
    login, order = strangers_order
    return market.log_in(login)["access_token"], order
