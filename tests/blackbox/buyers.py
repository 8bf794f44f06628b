# SPDX-License-Identifier: Apache-2.0
"""Customers who go on ordering whatever happens, and remember what they were told."""
import threading
import time
import uuid

import httpx


class Crowd:
    """Threads that do something over and over while a `with` lasts: each call of what they are given ends when self.over is set."""

    def __init__(self, *work):
        self.over = threading.Event()
        self.threads = [threading.Thread(target=w) for w in work]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


class Buyers(Crowd):
    """They order until they are told to stop; each answer is kept, and what got none is asked for again later."""

    def __init__(self, market, product, n=12):
        super().__init__(*[self.buy] * n)
        self.url, self.token, self.product = market.url, market.token(), product
        self.answers, self.open, self.statuses = {}, set(), set()
        self.lock = threading.Lock()

    def buy(self):
        with httpx.Client(base_url=self.url, timeout=30) as client:
            key = str(uuid.uuid4())
            while not self.over.is_set():
                answer = self.one(client, key)
                if answer is not None and answer.status_code == 201:
                    key = str(uuid.uuid4())
                else:
                    self.over.wait(0.02)                # the same order again, as a client should

    def one(self, client, key):
        with self.lock:
            self.open.add(key)
        try:
            answer = client.post("/v1/orders", json={"items": [{"product_id": self.product, "quantity": 1}]},
                                 headers={"authorization": f"Bearer {self.token}", "idempotency-key": key})
        except httpx.TransportError:
            return None
        with self.lock:
            self.statuses.add(answer.status_code)
            if answer.status_code == 201:
                self.open.discard(key)
                before = self.answers.setdefault(key, answer.json())
                assert before == answer.json()
            elif answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
        return answer

    def wait_for(self, n, seconds=30):
        end = time.monotonic() + seconds
        while len(self.answers) < n:
            assert time.monotonic() < end, f"{len(self.answers)} orders, {self.statuses}, {sum(t.is_alive() for t in self.threads)} buyers"
            self.over.wait(0.002)

    def ask_again(self, market, most=150):
        """Keys once more: the answered ones (the latest, and some of before) say the same, the others come to an end."""
        with httpx.Client(base_url=market.url, timeout=30) as client:
            self.token = market.token()
            keys = list(self.answers)
            for key in keys[-most:] + keys[:-most:max(1, len(keys) // most)]:
                answer = self.one(client, key)
                assert answer.status_code == 201 and answer.headers["idempotency-replayed"] == "true", answer.text
            for key in list(self.open):
                end = time.monotonic() + 20
                while (answer := self.one(client, key)).status_code in (409, 503):
                    assert time.monotonic() < end and answer.json()["slug"] != "out_of_stock", answer.text
                assert answer.status_code == 201, answer.text
            assert not self.open
