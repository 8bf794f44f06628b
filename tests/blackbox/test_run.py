# SPDX-License-Identifier: Apache-2.0
"""souk run as a newcomer meets it: what it prints, that it works as printed, and that it leaves nothing behind."""
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import time

import psycopg
import pytest

from souk import PROGRAM, ROOT, Souk, curl_lines, environment, free_port, is_running, last_json, processes_under, run


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with blanks and a quote in its name that any user may enter."""
    top = tmp_path_factory.mktemp("run")
    for folder in [top, *top.parents][:3]:
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o111)
    return top / "my souk's"


@pytest.fixture(scope="module")
def souk(home):
    with Souk(home) as s:
        yield s


def test_it_says_where_it_is_who_may_log_in_and_how_to_stop(souk):
    text = souk.printed()
    assert souk.url in text and "Ctrl-C" in text
    for role, account in souk.accounts().items():
        assert re.search(rf"^ +{role} +{re.escape(account['email'])} +{re.escape(account['password'])}$", text, re.M)
    assert len(curl_lines(text)) == 3


def test_progress_goes_to_standard_error(souk):
    said = souk.err.read_text()
    assert "making a database" in said and "catalogue" in said
    assert "making a database" not in souk.printed()


def test_the_curl_lines_log_in_find_and_buy(souk):
    log_in, find, buy = curl_lines(souk.printed())
    script = f"set -e; {log_in}; test -n \"$TOKEN\"; {find}; echo; {buy}"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    found, bought = shell.stdout.strip().split("\n")
    assert json.loads(found)["items"]
    order = json.loads(bought)
    assert order["state"] == "confirmed" and order["invoice_number"]


def test_there_are_ten_thousand_products_with_stock(souk):
    page = souk.get("/v1/products?limit=100").json()
    assert len(page["items"]) == 100 and page["next"]
    stock = souk.get(f"/v1/inventory/{page['items'][7]['id']}").json()
    assert stock["available"] > 0
    with psycopg.connect(database_url(souk, "souk_catalog"), autocommit=True) as db:
        assert db.execute("select count(*) from product").fetchone()[0] == 10000


def database_url(souk, name):
    sock = (souk.data / "pg").resolve().parent / "pg.sock"
    if not (sock / ".s.PGSQL.5432").exists():           # the path was too long
        line = (souk.data / "pg" / "postmaster.pid").read_text().split("\n")[4]
        sock = line
    return psycopg.conninfo.make_conninfo(host=str(sock), port=5432, user="souk", dbname=name)


def test_every_role_logs_in(souk):
    for role in ("customer", "vendor", "staff", "admin"):
        assert souk.get("/v1/me", token=souk.token(role)).json()["role"] == role


def test_souk_token_prints_a_token_and_nothing_else(souk):
    done = souk.command("token", "--role", "staff")
    assert done.returncode == 0 and done.stderr == ""
    assert souk.get("/v1/me", token=done.stdout.strip()).json()["role"] == "staff"
    assert last_json(souk.command("token", "--json"))["access_token"]


def test_the_directory_may_be_named_by_the_environment(souk):
    assert run("token", SOUK_DATA=str(souk.data)).returncode == 0
    file = souk.directory / "other.conf"
    file.write_text("# settings\nport = 4321\n")
    settings = {s["name"]: s for s in last_json(run("config", "--json", SOUK_CONFIG=str(file)))["settings"]}
    assert settings["port"]["value"] == "4321" and "other.conf" in settings["port"]["from"]


def test_secrets_are_for_their_owner_only(souk):
    for name in ("accounts.json", "secret"):
        assert stat.S_IMODE((souk.data / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((souk.data / "pg").stat().st_mode) == 0o700


def test_the_database_listens_on_no_port(souk):
    pid = souk.database_pid()
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    with open("/proc/net/tcp", encoding="utf-8") as f:
        tcp = {"socket:[" + line.split()[9] + "]" for line in f.readlines()[1:]}
    assert not inodes & tcp


def test_the_front_page_health_and_docs_answer(souk):
    assert "text/html" in souk.get("/").headers["content-type"]
    for path in ("/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"):
        assert souk.get(path).status_code == 200, path


def test_a_second_one_in_the_same_directory_is_refused(souk):
    second = run("run", "--port", str(free_port()), "--data", str(souk.data))
    assert second.returncode == 1
    assert "already runs" in second.stderr and str(souk.process.pid) in second.stderr and souk.url in second.stderr and "--data" in second.stderr
    assert souk.get("/readyz").status_code == 200


def test_a_taken_port_is_named_with_its_holder_and_the_flag(souk, tmp_path):
    done = run("run", "--port", str(souk.port), "--data", str(tmp_path / "x"))
    assert done.returncode == 1
    assert str(souk.port) in done.stderr and "--port" in done.stderr and str(souk.process.pid) in done.stderr
    assert not (tmp_path / "x" / "pg").exists()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = run("run", "--port", str(port), "--data", str(tmp_path / "x"))
        assert done.returncode == 1 and str(port) in done.stderr and str(os.getpid()) in done.stderr


def test_a_database_that_dies_gives_503_and_comes_back(souk):
    pid, staff = souk.database_pid(), souk.token("staff")
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    seen = set()
    while time.monotonic() < end:
        status = souk.get("/v1/products?limit=1", timeout=20).status_code
        seen.add(status)
        if status == 200 and not is_running(pid):
            break
    assert seen <= {200, 503} and souk.get("/v1/products?limit=1").status_code == 200
    for path in ("/v1/me", "/v1/orders", "/v1/invoices"):
        assert souk.get_when_up(path, token=staff).status_code == 200
    assert souk.database_pid() != pid


def test_ctrl_c_stops_everything_and_the_second_start_is_fast_and_has_all(home, souk):
    orders = souk.get_when_up("/v1/orders", token=souk.token()).json()["items"]
    assert orders
    assert souk.stop(signal.SIGINT) == 0
    assert processes_under(home) == []
    assert not (souk.data / "run.json").exists()
    with Souk(home) as again:
        assert again.ready_seconds < 1.0
        assert again.get("/v1/orders", token=again.token()).json()["items"] == orders
        assert len(curl_lines(again.printed())) == 3
        passwords = again.accounts()
    assert passwords == souk.accounts()


def test_kill_9_loses_nothing_and_leaves_no_database_behind(home):
    with Souk(home) as one:
        orders = one.get("/v1/orders", token=one.token()).json()["items"]
        database = one.database_pid()
        one.kill()
    with Souk(home) as two:
        assert not is_running(database) or two.database_pid() == database
        assert two.get("/v1/orders", token=two.token()).json()["items"] == orders
    assert processes_under(home) == []


def test_ctrl_c_on_a_terminal_stops_the_database_in_order(home):
    """The terminal sends SIGINT to the whole foreground group; PostgreSQL must not be in it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [PROGRAM, "run", "--port", str(free_port()), "--data", str(home / ".souk")], environment(TERM="xterm"))
    text = b""
    end = time.monotonic() + 60
    sent = False
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                break
        if b"Ctrl-C" in text and not sent:
            os.write(terminal, b"\x03")
            sent = True
    assert sent and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text.decode(errors="replace")
    assert b"everything is kept" in text and b"\r\x1b[K" in text
    assert processes_under(home) == []
    log = (home / ".souk" / "postgresql.log").read_text(errors="replace")
    assert "database system is shut down" in log.strip().split("\n")[-1]


@pytest.mark.slow
def test_a_first_start_that_was_killed_is_begun_anew(tmp_path_factory):
    top = tmp_path_factory.mktemp("killed")
    top.chmod(0o711)
    one = Souk(top, wait=False)
    while not (top / ".souk" / "pg" / "postmaster.pid").exists() and one.process.poll() is None:
        pass
    one.kill()
    with Souk(top) as two:
        assert len(two.get("/v1/products?limit=100").json()["items"]) == 100
        assert two.get("/v1/me", token=two.token("admin")).status_code == 200


@pytest.mark.slow
def test_no_seed_leaves_the_catalogue_empty_and_root_homes_work(tmp_path_factory):
    """As root in a folder that only root may enter, the database lies elsewhere."""
    top = tmp_path_factory.mktemp("closed")
    top.chmod(0o700)
    with Souk(top, "--no-seed") as s:
        assert s.get("/v1/products").json()["items"] == []
        assert s.get("/v1/me", token=s.token("vendor")).status_code == 200
        data = (s.data / "pg").resolve()
        assert s.stop() == 0
    with Souk(top, "--no-seed") as s:
        assert (s.data / "pg").resolve() == data
        assert s.get("/v1/me", token=s.token("vendor")).status_code == 200
    assert os.getuid() != 0 or data.is_relative_to("/var/lib/souk")


def test_a_server_one_has_is_used_and_none_is_started(tmp_path):
    wrapper = [str(ROOT / "tools" / "with-postgres"), "bash", "-c", 'SOUK_DATABASE_URL="$SOUK_TEST_DATABASE_URL" exec "$0" "$@"']
    with Souk(tmp_path, "--no-seed", prefix=wrapper) as s:
        assert not (s.data / "pg").exists()
        assert s.get("/v1/me", token=s.token("staff")).json()["role"] == "staff"
        assert "everything is kept in the database of SOUK_DATABASE_URL" in s.printed()
        done = s.command("token")
        assert done.returncode == 1 and "private" in done.stderr
        assert s.stop(signal.SIGTERM) in (0, 143)


def test_a_folder_that_was_copied_does_not_build_where_it_was(tmp_path):
    """tools/build with a cmake and a ninja that only tell what they were asked."""
    there, tools = tmp_path / "copied here", tmp_path / "bin"
    (there / "tools").mkdir(parents=True)
    (there / "build").mkdir()
    tools.mkdir()
    shutil.copy(ROOT / "tools" / "build", there / "tools" / "build")
    for name, does in (("cmake", "mkdir -p build && echo 'CMAKE_HOME_DIRECTORY:INTERNAL='\"$PWD\" >build/CMakeCache.txt && touch build/build.ninja"), ("ninja", "true")):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    (there / "build" / "build.ninja").touch()
    (there / "build" / "old.o").touch()
    (there / "build" / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tmp_path}\n")
    build = lambda: subprocess.run(["tools/build"], cwd=there, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True).stderr
    assert f"was made in {tmp_path}; making it anew" in build() and not (there / "build" / "old.o").exists()
    assert build() == ""


def test_settings_are_refused_by_name(tmp_path):
    for args, env, word in ((["--prot", "1"], {}, "--port"), (["--port", "x"], {}, "port"), ([], {"SOUK_PROT": "1"}, "SOUK_PROT"),
                            (["--target", "nothing"], {}, "nothing"), ([], {"SOUK_SECRET": "short"}, "SOUK_SECRET")):
        done = run("run", "--data", str(tmp_path / "x"), *args, **env)
        assert done.returncode in (1, 2) and word in done.stderr, (args, env, done.stderr)


def test_every_command_has_help_with_examples():
    for command in (["run"], ["token"], ["demo", "orders"], ["import", "products"], ["routes"], ["targets"], ["config"], ["version"]):
        done = run(*command, "--help")
        assert done.returncode == 0 and "examples:" in done.stdout and done.stderr == ""


def test_tables_are_printed_for_people_and_programs():
    assert "/v1/orders" in run("routes").stdout
    assert any(r["path"] == "/v1/orders" and r["method"] == "POST" for r in last_json(run("routes", "--json"))["routes"])
    assert {t["name"] for t in last_json(run("targets", "--json"))["targets"]} >= {"identity", "catalog", "inventory", "orders", "payments"}
    settings = {s["name"]: s for s in last_json(run("config", "--json", SOUK_PORT="1234"))["settings"]}
    assert settings["port"]["value"] == "1234" and settings["port"]["from"] == "SOUK_PORT"
    for command in ("routes", "targets", "config", "version"):
        told = last_json(run(command, "--json"))
        assert told["ok"] is True and told["checks"] == []


def test_nothing_running_is_told(tmp_path):
    for command in (["token"], ["demo", "orders"]):
        done = run(*command, "--data", str(tmp_path))
        assert done.returncode == 1 and "souk run" in done.stderr
    assert last_json(run("demo", "orders", "--data", str(tmp_path), "--json"))["ok"] is False
