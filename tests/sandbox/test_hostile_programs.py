"""Programs that reach for what is not theirs: none gets it.

Each defines ``f``, which returns True where the attempt succeeded.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from judge_lightning.sandbox import Outcome, Program, run_program
from judge_lightning.sandbox.protections import try_out

Attempt = Callable[..., Outcome]

FILES = {
    "removes": "os.remove(PATH)",
    "removes its folder": "shutil.rmtree(os.path.dirname(PATH))",
    "overwrites": "open(PATH, 'w').write('gone')",
    "appends to": "open(PATH, 'a').write('gone')",
    "truncates": "os.truncate(PATH, 0)",
    "renames": "os.rename(PATH, PATH + '.gone')",
    "replaces": "os.replace(__file__ if '__file__' in globals() else os.__file__, PATH)",
    "locks others out of": "os.chmod(PATH, 0)",
    "ages": "os.utime(PATH, (0, 0))",
    "writes through a symbolic link to": (
        "os.symlink(PATH, 'link'); open('link', 'w').write('gone')"
    ),
    "writes through a hard link to": "os.link(PATH, 'link'); open('link', 'w').write('gone')",
    "writes through .. to": "open('../' * 40 + PATH, 'w').write('gone')",
    "writes through /proc to": "open('/proc/self/root' + PATH, 'w').write('gone')",
    "asks the shell to remove": "assert os.system('rm ' + PATH) == 0",
    "writes beside": "open(PATH + '.new', 'w').write('new')",
    "puts a twin with odd characters beside": "open(PATH + '\\u202e\\u0430', 'w').write('new')",
}


@pytest.mark.parametrize("deed", FILES)
def test_nothing_changes_a_file_outside(attempt: Attempt, tmp_path: Path, deed: str) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("kept")
    os.utime(victim, (1e9, 1e9))
    tmp_path.chmod(0o777)
    victim.chmod(0o666)

    outcome = attempt(f"""
        import os, shutil
        PATH = {str(victim)!r}
        def f():
            {FILES[deed]}
            return True
    """)

    assert outcome.verdict == "failed"
    assert victim.read_text() == "kept"
    assert victim.stat().st_mode & 0o777 == 0o666
    assert victim.stat().st_mtime == 1e9
    assert [path.name for path in tmp_path.iterdir()] == ["victim.txt"]


def test_a_key_file_cannot_be_read(attempt: Attempt, how: str, tmp_path: Path) -> None:
    if not try_out(how).protections["files outside hidden"]:
        pytest.skip("this machine has neither namespaces nor Landlock (docs/sandbox.md)")
    key = tmp_path / "token"
    key.write_text("secret")
    key.chmod(0o644)

    outcome = attempt(f"def f():\n    return open({str(key)!r}).read() == 'secret'")

    assert outcome.reason in ("raised FileNotFoundError", "raised PermissionError")


ENVIRONMENT = """
import glob, os
def f():
    if os.environ:
        return True
    for path in glob.glob("/proc/*/environ"):
        try:
            if b"sk-se" + b"cret" in open(path, "rb").read():
                return True
        except OSError:
            pass
    return False
"""


def test_the_callers_environment_is_not_there(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    outcome = run_program(Program(ENVIRONMENT, "assert f() is True"), how=how)

    assert outcome.reason == "an assertion failed"


NETWORK = {
    "connects by TCP": "socket.create_connection(('127.0.0.1', PORT), timeout=1)",
    "sends by UDP": (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))"
    ),
    "sends a raw packet": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "asks for a name": "socket.getaddrinfo('example.com', 80)",
    "serves": "socket.create_server(('127.0.0.1', 0))",
    "opens an abstract socket": "socket.socket(socket.AF_UNIX).bind('\\0judge-lightning')",
    "talks to the virtual machine's host": "socket.socket(40, socket.SOCK_STREAM)",
    "talks to the kernel": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "asks for a page": "urllib.request.urlopen(f'http://127.0.0.1:{PORT}', timeout=1)",
}


@pytest.mark.parametrize("deed", NETWORK)
def test_there_is_no_network(attempt: Attempt, deed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = attempt(f"""
            import socket, urllib.request
            PORT = {server.getsockname()[1]}
            def f():
                {NETWORK[deed]}
                return True
        """)

    assert outcome.verdict == "failed"


REACHING_OUT = {
    "kills its parent": "os.kill(os.getppid() or 2, 9)",
    "stops its parent": "os.kill(os.getppid() or 2, signal.SIGSTOP)",
    "signals the caller": "os.kill(CALLER, 0)",
    "signals everybody": "os.kill(-1, 0)",
    "signals the caller's group": "os.killpg(GROUP, 0)",
    "queues a signal": "assert libc.sigqueue(CALLER, 0, 0) == 0",
    "attaches to its parent": "assert libc.ptrace(16, os.getppid() or CALLER, 0, 0) == 0",
    "attaches to the caller": "assert libc.ptrace(16, CALLER, 0, 0) == 0",
    "reads its parent's memory": "open(f'/proc/{os.getppid() or CALLER}/mem', 'rb').read(1)",
    "writes the caller's memory": "open(f'/proc/{CALLER}/mem', 'wb')",
    "reads its parent's pipes": (
        "assert os.listdir(f'/proc/{os.getppid()}/fd') or True;"
        "open(f'/proc/{os.getppid()}/fd/0', 'wb').write(b'x')"
    ),
    "limits the caller": "resource.prlimit(CALLER, resource.RLIMIT_NOFILE, (0, 0))",
    "raises its own limits": "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "outlives its parent's end": "assert libc.prctl(1, 0, 0, 0, 0) == 0",
    "becomes root": "os.setuid(0); assert os.geteuid() == 0 and open('/dev/mem', 'rb')",
    "makes namespaces": "assert libc.unshare(0x10000000) == 0",
    "mounts": "assert libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None) == 0",
    "changes the root": "os.chroot('/tmp')",
    "sets the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "hides a file in memory": "os.memfd_create('x')",
    "shares memory with others": "assert libc.shmget(1234, 4096, 0o1666) >= 0",
    "traces the kernel": "assert libc.syscall(298, None, 0, -1, -1, 0) >= 0",
    "makes a device": "os.mknod('disk', 0o60666, os.makedev(8, 0)); open('disk', 'rb')",
}


@pytest.mark.parametrize("deed", REACHING_OUT)
def test_nothing_outside_is_in_reach(attempt: Attempt, deed: str) -> None:
    outcome = attempt(f"""
        import ctypes, os, resource, signal, time
        libc = ctypes.CDLL(None, use_errno=True)
        CALLER, GROUP = {os.getpid()}, {os.getpgid(0)}
        def f():
            {REACHING_OUT[deed]}
            return True
    """)

    assert outcome.verdict == "failed"
    assert outcome.reason != "timed out"


LEAVING_SOMETHING = {
    "a child": "os.fork() or stay()",
    "a daemon": "os.fork() or (os.setsid(), os.fork() or stay(), os._exit(0))",
    "a deaf daemon": (
        "os.fork() or ([signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)], os.setsid(), stay())"
    ),
    "a command": "subprocess.Popen(['sh', '-c', 'exec -a left-behind sleep 1000'])",
    "a multiprocessing worker": "multiprocessing.Process(target=stay).start()",
    "a stopped child": "os.kill(os.fork() or (name(), os.kill(os.getpid(), 19), stay()), 0)",
    "a thread": "threading.Thread(target=stay).start()",
}


@pytest.mark.parametrize("legacy", LEAVING_SOMETHING)
def test_no_process_outlives_the_program(attempt: Attempt, legacy: str) -> None:
    outcome = attempt(f"""
        import ctypes, multiprocessing, os, signal, subprocess, threading, time
        def name():
            ctypes.CDLL(None).prctl(15, b"left-behind", 0, 0, 0)
        def stay():
            name()
            time.sleep(1000)
        def f():
            {LEAVING_SOMETHING[legacy]}
            return False
    """)

    assert outcome.verdict == "failed"
    left = [
        p.info for p in psutil.process_iter(["name", "cmdline"]) if "left-behind" in str(p.info)
    ]
    assert left == []


def test_the_caller_has_no_children_left(how: str) -> None:
    before = psutil.Process().children(recursive=True)
    bomb = Program("import os\nwhile True:\n    os.fork()\ndef f(): pass", "f()")

    outcome = run_program(bomb, how=how)

    assert outcome.verdict == "failed"
    after = psutil.Process().children(recursive=True)
    # The shared sandbox's own child changes with every program.
    assert len(after) <= len(before)


def test_the_tests_and_their_values_are_not_in_the_programs_memory(attempt: Attempt) -> None:
    """The search stops at this program's own text, which is in its memory of course."""
    secret = "".join(map(chr, range(ord("c"), ord("x"))))
    outcome = attempt(
        """
        import ctypes, gc, sys
        def f():
            found = "".join(map(chr, range(ord("c"), ord("x"))))
            frame = sys._getframe()
            while frame:
                if found in str(frame.f_locals.get("tests")) + str(frame.f_locals.get("job")):
                    return found
                frame = frame.f_back
            for thing in gc.get_objects():
                if isinstance(thing, (dict, list)) and thing is not gc:
                    values = thing.values() if isinstance(thing, dict) else thing
                    for value in list(values):
                        if isinstance(value, str) and "assert" in value and found in value:
                            return found
            return None
        """,
        f"assert f() == {json.dumps(secret)}",
    )

    assert outcome.reason == "an assertion failed"
