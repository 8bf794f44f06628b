# SPDX-License-Identifier: Apache-2.0
"""One marketplace for all modules that do not end it."""
import os
import pathlib
import tempfile

import pytest
from xdist.scheduler import LoadScopeScheduling

from market import Market
from souk import remove_what_ended


@pytest.fixture(scope="session", autouse=True)
def _open_folders(tmp_path_factory):
    """A database that runs as another user must get through to its own."""
    top, folder = pathlib.Path(tempfile.gettempdir()).resolve(), tmp_path_factory.getbasetemp().resolve()
    while folder != top and folder.is_relative_to(top) and folder.stat().st_uid == os.getuid():
        folder.chmod(folder.stat().st_mode | 0o111)
        folder = folder.parent


@pytest.fixture()
def tmp_path(tmp_path):
    tmp_path.chmod(0o711)
    return tmp_path


LONG_FIRST = ("test_prove", "test_killed", "test_crash", "test_replay", "test_demo", "test_openapi", "test_run", "test_catalog", "test_load")
ALONE = ("test_prove", "test_killed", "test_crash")     # modules whose tests share nothing


def pytest_collection_modifyitems(items):
    """What takes long begins first, so that of several workers none has it left at the end."""
    items.sort(key=lambda i: LONG_FIRST.index(i.module.__name__) if i.module.__name__ in LONG_FIRST else len(LONG_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For several workers (-n N --no-loadscope-reorder): a module's tests stay together for what they share, those that share nothing go where there is time."""
    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid if pathlib.Path(nodeid.partition("::")[0]).stem in ALONE else nodeid.partition("::")[0]
    return Scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Between two modules no program of the first is wanted any more, but the one that runs for all."""
    if nextitem is None or nextitem.path != item.path:
        remove_what_ended()


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    top = tmp_path_factory.mktemp("market")
    top.chmod(0o711)
    with Market(top) as m:
        m.key_known()
        yield m


@pytest.fixture()
def quiet(market):
    """The market, which must have the same in its databases afterwards."""
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
