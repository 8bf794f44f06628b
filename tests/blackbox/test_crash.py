# SPDX-License-Identifier: Apache-2.0
"""The end of things: the database's, the program's, in the middle of orders. What was answered stays true."""
import os
import signal
import threading
import time

import httpx
import pytest

from buyers import Buyers
from market import Market, problem
from souk import is_running, processes_under


@pytest.fixture()
def own(tmp_path_factory):
    """A directory for programs that end."""
    top = tmp_path_factory.mktemp("crash")
    top.chmod(0o711)
    return top


def test_kill_9_in_the_middle_of_orders_loses_nothing_that_was_answered(own):
    with Market(own) as market:
        product = market.product(stock=100000)
        with Buyers(market, product) as buyers:
            buyers.wait_for(100)
            market.kill()
    with Market(own, port=market.port) as again:
        known = len(buyers.answers)
        assert known >= 100
        for order in list(buyers.answers.values())[-20:]:
            seen = again.ask("GET", f"/v1/orders/{order['id']}", "customer").json()
            assert seen["invoice_number"] == order["invoice_number"] and seen["total"] == order["total"]
        buyers.ask_again(again)
        again.check_books(product)
        sold = again.one("orders", "select count(*) from orders where invoice_no is not null")
        assert sold == len(buyers.answers) >= known
        assert again.get(f"/v1/inventory/{product}").json()["available"] == 100000 - sold


def test_sigterm_drains_what_is_at_work_and_takes_nothing_new(own):
    with Market(own) as market:
        product = market.product(stock=100)
        token, answers = market.token(), []
        slow = threading.Thread(target=lambda: answers.append(market.order(product, token, card="4000000000000044")))
        slow.start()
        while market.one("inventory", "select count(*) from hold") == 0:
            pass
        for db in market.databases.values():
            db.close()
        idle = httpx.Client(base_url=market.url)
        assert idle.get("/healthz").status_code == 200
        begun = time.monotonic()
        assert market.stop(signal.SIGTERM) == 0
        slow.join()
        assert answers[0].status_code == 504            # it was finished, not cut
        assert time.monotonic() - begun < 15
        with pytest.raises(httpx.TransportError):
            idle.get("/healthz")
        idle.close()
        assert processes_under(own) == []
    with Market(own) as again:
        again.check_books(product)
        assert again.get(f"/v1/inventory/{product}").json()["available"] == 100


def test_a_database_that_is_killed_under_orders_gives_503_and_comes_back(own):
    with Market(own) as market:
        product = market.product(stock=100000)
        staff = market.token("staff")
        pid = market.database_pid()
        with Buyers(market, product, 8) as buyers:
            buyers.wait_for(50)
            os.kill(pid, signal.SIGKILL)
            before, end = len(buyers.answers), time.monotonic() + 40
            while len(buyers.answers) < before + 50:
                assert time.monotonic() < end and market.process.poll() is None, market.err.read_text()[-2000:]
                buyers.over.wait(0.01)
        assert buyers.statuses <= {201, 409, 503, 504}, buyers.statuses
        assert not is_running(pid) and market.database_pid() != pid
        assert "postgresql ended" in market.err.read_text() and "postgresql is back" in market.err.read_text()
        assert market.get_when_up("/readyz").status_code == 200
        assert market.get("/v1/me", token=staff).json()["role"] == "staff"
        buyers.ask_again(market)
        market.check_books(product)


@pytest.mark.slow
def test_a_database_that_stands_still_gives_503_within_the_deadline(own):
    """Stopped, not dead: connections stand, nothing answers."""
    with Market(own) as market:
        product = market.product(stock=10)
        token = market.token()
        pid = market.database_pid()
        children = [int(p) for p in os.popen(f"ps -o pid= --ppid {pid}").read().split()]
        for p in [pid, *children]:
            os.kill(p, signal.SIGSTOP)
        try:
            assert market.get("/healthz").status_code == 200
            assert market.http.get("/readyz").status_code == 503
            begun = time.monotonic()
            answer = market.order(product, token)
            assert answer.status_code in (503, 504) and time.monotonic() - begun < 20, answer.text
            problem(answer, answer.status_code)
        finally:
            for p in [pid, *children]:
                os.kill(p, signal.SIGCONT)
        assert market.get_when_up("/readyz").status_code == 200
        end = time.monotonic() + 30
        while (again := market.order(product, token)).status_code != 201:
            assert again.status_code in (409, 503, 504) and time.monotonic() < end, again.text
        market.check_books(product)


@pytest.mark.slow
def test_ten_kills_in_a_row(own):
    port, product, everyone = None, None, []
    for _ in range(10):
        with Market(own, port=port) as market:
            port, product = market.port, product or market.product(stock=1000000)
            with Buyers(market, product) as buyers:
                buyers.wait_for(30)
                market.kill()
            everyone.append(buyers)
    with Market(own, port=port) as market:
        for buyers in everyone:
            buyers.ask_again(market)
        market.check_books(product)
        assert market.one("orders", "select count(*) from orders where invoice_no is not null") == sum(len(b.answers) for b in everyone)
