# SPDX-License-Identifier: Apache-2.0
"""Completion as shells do it, and manual pages as man reads them: both come from the tables of --help, and say what it says."""
import re
import shutil
import subprocess

import pytest

from souk import ROOT, environment, run

COMMANDS = [m[1] for m in re.finditer(r"^  ([a-z]+(?: [a-z]+)?) +", run("--help").stdout.split("commands:")[1], re.M)]
PAGES = sorted((ROOT / "docs" / "man").glob("*.1"))


def script(shell):
    done = run("completion", shell)
    assert done.returncode == 0 and done.stdout, done.stderr
    return done.stdout


def complete(*words):
    """What bash offers for the last of the words."""
    call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _souk; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", f"{script('bash')}\n{call}", "bash", "souk", *words], capture_output=True, text=True, timeout=30,
                          env=environment(), check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def flags_of(command):
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z0-9.-]+)", run(*command.split(), "--help").stdout, re.M))


def test_bash_completes_commands_and_their_second_words():
    assert set(complete("")) == {c.split()[0] for c in COMMANDS} | {"help", "--help", "--version"}
    assert complete("tok") == ["token"] and complete("nothing") == []
    assert set(complete("demo", "")) == {c.split()[1] for c in COMMANDS if c.startswith("demo ")}
    assert complete("demo", "inv") == ["inventory"]


@pytest.mark.parametrize("command", COMMANDS)
def test_bash_completes_the_flags_that_help_shows(command):
    assert set(complete(*command.split(), "--")) == flags_of(command)


def test_bash_completes_the_values_of_a_flag():
    roles = ["customer", "vendor", "staff", "admin"]
    assert complete("token", "--role", "") == roles and complete("token", "-r", "s") == ["staff"]
    assert complete("token", "--role", "=", "a") == ["admin"] and complete("token", "--role", "=") == roles          # as bash cuts --role=a
    assert complete("completion", "") == ["bash", "zsh", "fish"]


def test_bash_completes_folders_where_one_is_meant(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert complete("token", "--data", f"{tmp_path}/f") == [f"{tmp_path}/folder"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_its_shell(tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    (tmp_path / "script").write_text(script(shell))
    done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
def test_fish_completes(tmp_path):
    (tmp_path / "souk.fish").write_text(script("fish"))

    def offered(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {tmp_path}/souk.fish; complete -C '{line}'"], capture_output=True, text=True, timeout=30, check=False)
        return {w.split("\t")[0] for w in done.stdout.split("\n") if w}
    assert {"token", "demo", "run"} <= offered("souk ") and {"orders", "inventory"} <= offered("souk demo ")
    assert offered("souk token --role ") >= {"customer", "vendor", "staff", "admin"} and "--scale" in offered("souk demo orders --")


def test_another_shell_is_refused_by_name():
    done = run("completion", "tcsh")
    assert done.returncode == 2 and "SHELL is one of bash, zsh, fish" in done.stderr
    assert run("man", "nothing").returncode == 2


def test_there_is_a_page_for_every_command_that_says_what_it_says():
    assert {p.stem for p in PAGES} == {"souk"} | {"souk-" + c.replace(" ", "-") for c in COMMANDS}
    for command in COMMANDS:
        page = (ROOT / "docs" / "man" / f"souk-{command.replace(' ', '-')}.1").read_text()
        assert run("man", *command.split()).stdout == page
        for flag in flags_of(command):
            assert flag.replace("-", "\\-") in page, (command, flag)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_page_has_no_fault(page):
    checks = [(["man", "--warnings", "-l", str(page)], "man"), (["mandoc", "-T", "lint", "-W", "warning", str(page)], "mandoc")]
    for command, program in checks:
        if shutil.which(program):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**environment(), "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}, check=False)
            assert done.returncode == 0 and not done.stderr and (program == "man" or not done.stdout), done.stderr + done.stdout[:500]
