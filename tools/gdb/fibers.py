# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Souk authors
"""Fibers in gdb, of a running process or a core:

    gdb -p PID -x tools/gdb/fibers.py -batch -ex 'fibers'          every fiber: loop, name, where it waits, since when, how old
    gdb build/souk core -x tools/gdb/fibers.py -ex 'fibers bt'     each with its calls
    (gdb) fibers bt order_place                                    only those whose name contains this

Ages are counted to the last turn of the fiber's loop. Calls are read from frame pointers, so functions of libraries that were
built without them are left out. The names used here are those of kit/run/inside.h."""
import gdb

FRAMES_MAX = 40
# Where context_switch() (kit/run/switch.S) leaves the frame pointer and the return address, in bytes from the saved stack pointer.
SAVED = {"i386:x86-64": (40, 48), "aarch64": (144, 152)}


def field_offset(kind, name):
    return next(f.bitpos // 8 for f in gdb.lookup_type(kind).fields() if f.name == name)


def fibers_of(loop):
    """Each struct fiber in the ring loop->all."""
    fiber = gdb.lookup_type("struct fiber")
    offset = field_offset("struct fiber", "all")
    head = loop["all"].address
    link = loop["all"]["next"]
    while link != head:
        yield gdb.Value(int(link) - offset).cast(fiber.pointer()).dereference()
        link = link["next"]


def loops():
    every = gdb.lookup_static_symbol("loops") or gdb.lookup_global_symbol("loops")
    if every is None:
        raise gdb.GdbError("no loops here: is this a souk program with debug information?")
    values = every.value()
    for i in range(values.type.range()[1] + 1):
        if values[i] != 0:
            yield values[i].dereference()


def word(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def calls(fiber):
    """(address, description) of each call of a fiber that does not run, innermost first."""
    where = SAVED.get(gdb.selected_inferior().architecture().name())
    if where is None or "sp" not in [f.name for f in fiber["context"].type.fields()]:
        return
    sp = int(fiber["context"]["sp"])
    low = int(fiber["san"]["low"])
    high = low + int(fiber["san"]["n_bytes"])
    frame, ip = word(sp + where[0]), word(sp + where[1])
    for _ in range(FRAMES_MAX):
        block = gdb.current_progspace().block_for_pc(ip - 1)
        while block is not None and block.function is None:
            block = block.superblock
        line = gdb.find_pc_line(ip - 1)
        name = block.function.name if block is not None else "?"
        yield ip, f"{name} at {line.symtab.filename}:{line.line}" if line.symtab else name
        if name == "fiber_main" or not low <= frame < high - 16:
            return
        frame, ip = word(frame), word(frame + 8)


def seconds(us):
    return f"{int(us) / 1e6:.3f}s"


class Fibers(gdb.Command):
    """fibers [bt] [NAME]: lists the fibers of every loop, with their calls, whose name contains NAME."""

    def __init__(self):
        super().__init__("fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split()
        with_calls = words[:1] == ["bt"]
        part = " ".join(words[1:] if with_calls else words)
        print(f"{'loop':>4} {'name':<28} {'waits in':<20} {'since':>10} {'age':>10}")
        for loop in loops():
            now = loop["now_us"]
            for fiber in fibers_of(loop):
                name = fiber["name"].string(errors="replace")
                if part not in name:
                    continue
                state = str(fiber["state"])
                waits = state == "FIBER_WAITING"
                where = fiber["where"].string(errors="replace") if waits else state.removeprefix("FIBER_").lower()
                since = seconds(now - fiber["parked_us"]) if waits else "-"
                print(f"{int(loop['index']):>4} {name:<28} {where:<20} {since:>10} {seconds(now - fiber['born_us']):>10}")
                if with_calls and state != "FIBER_RUNNING":
                    for number, (ip, text) in enumerate(calls(fiber)):
                        print(f"       #{number:<2} {ip:#x} {text}")


Fibers()
