"""The number of threads, what limits it, and threads after a fork."""

import os
import sys

import pytest

import fastmlp as fm

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="affinity and fork are POSIX")

MACHINE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# Run by several tests in a separate process: real threads, even on one core.
NETWORK = """
import hashlib, os, threading
import numpy as np
import fastmlp as fm

rng = np.random.default_rng(0)
X = rng.random((600, 20), dtype=np.float32)
y = rng.integers(0, 5, 600)

def fitted(epochs=2, **options):
    net = fm.Network([20, 33, 5], seed=1)
    net.fit(X, y, epochs=epochs, batch_size=50, **options)
    return net

def digest(net):
    return hashlib.sha256(net.parameters.tobytes() + net.predict(X).tobytes()).hexdigest()

def child(function):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if function() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


@pytest.fixture
def clean_env(monkeypatch):
    for name in ("FASTMLP_NUM_THREADS", "OMP_NUM_THREADS", "FASTMLP_EXACT_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def printed(run_python, clean_env):
    """Run code in a separate Python process and return its output; an error fails."""

    def run(code, **env):
        done = run_python(code, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


GET = "import fastmlp as fm; print(fm.get_num_threads())"


@pytest.mark.shares_cores
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"FASTMLP_NUM_THREADS": "1"}, 1),
        ({"FASTMLP_NUM_THREADS": " 1 ", "OMP_NUM_THREADS": "2"}, 1),
        ({"OMP_NUM_THREADS": "1,4"}, 1),
        ({"FASTMLP_NUM_THREADS": "", "OMP_NUM_THREADS": "1"}, 1),
        ({"FASTMLP_NUM_THREADS": "1000000", "FASTMLP_EXACT_THREADS": "1"}, 1_000_000),
        ({"OMP_NUM_THREADS": "7", "FASTMLP_EXACT_THREADS": "1"}, 7),
    ],
)
def test_environment(printed, env, expected):
    assert printed(GET, **env) == [str(expected)]


@pytest.mark.shares_cores
def test_openmp_limit_is_that_of_the_import(printed):
    code = "import os, fastmlp as fm; os.environ['OMP_NUM_THREADS'] = '1'"
    env = {"OMP_NUM_THREADS": "7", "FASTMLP_EXACT_THREADS": "1"}
    assert printed(f"{code}; print(fm.get_num_threads())", **env) == ["7"]


@pytest.mark.shares_cores
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "False"),
        ({"OMP_NUM_THREADS": "many"}, "False"),
        ({"OMP_NUM_THREADS": "3"}, "True"),
        ({"FASTMLP_NUM_THREADS": "3"}, "True"),
    ],
)
def test_whether_the_environment_sets_the_limit(printed, env, expected):
    """If so, ranks on the same cores do not divide them."""
    code = "import os; from fastmlp import config; os.environ['OMP_NUM_THREADS'] = '1'"
    assert printed(f"{code}; print(config.environment_limits_threads())", **env) == [expected]


@pytest.mark.shares_cores
@pytest.mark.parametrize(
    "env", [{}, {"FASTMLP_NUM_THREADS": "1000000"}, {"OMP_NUM_THREADS": "many"}]
)
def test_the_machine_is_the_upper_limit(printed, env):
    assert 1 <= int(printed(GET, **env)[0]) <= MACHINE


@pytest.mark.shares_cores
@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "2,4", "99999999999999999999"])
def test_a_bad_environment_is_named(run_python, clean_env, value):
    done = run_python(GET, FASTMLP_NUM_THREADS=value)
    assert done.returncode == 1
    assert f"ValueError: FASTMLP_NUM_THREADS must be an integer >= 1, got '{value}'" in done.stderr


@pytest.mark.shares_cores
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_affinity_is_obeyed_at_any_time(printed):
    code = "import os, fastmlp as fm; cpus = os.sched_getaffinity(0); print(fm.get_num_threads())\n"
    code += "for mask in ({min(cpus)}, cpus):\n"
    code += "    os.sched_setaffinity(0, mask); print(fm.get_num_threads())"
    before, pinned, after = printed(code)
    assert pinned == "1"
    assert before == after


@pytest.mark.shares_cores
def test_set_num_threads(printed):
    code = "import fastmlp as fm\nfor n in (1, 10**6, 3): fm.set_num_threads(n); "
    code += "print(fm.get_num_threads())"
    assert printed(code) == ["1", printed(GET)[0], str(min(3, int(printed(GET)[0])))]
    assert printed(code, FASTMLP_EXACT_THREADS="1") == ["1", "1000000", "3"]


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_bad_limits_change_nothing(n, error):
    before = fm.get_num_threads()
    with pytest.raises(error, match="n"):
        fm.set_num_threads(n)
    assert fm.get_num_threads() == before


THREADPOOLCTL = """
import threadpoolctl

ours = [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "fastmlp"]
assert len(ours) == 1 and ours[0]["num_threads"] == 4 and ours[0]["version"] == fm.__version__
for limit in (1, {"fastmlp": 1}):
    with threadpoolctl.threadpool_limits(limit):
        print(fm.get_num_threads())
    print(fm.get_num_threads())
with threadpoolctl.threadpool_limits(1, user_api="blas"):
    print(fm.get_num_threads())
finders = [*__import__("sys").meta_path, threadpoolctl.__spec__.loader, threadpoolctl.__loader__]
assert not [finder for finder in finders if type(finder).__module__ == "fastmlp._threadpoolctl"]
"""


@pytest.mark.parametrize("imports", ["import threadpoolctl, fastmlp as fm", "import fastmlp as fm"])
def test_threadpoolctl_governs(printed, imports):
    pytest.importorskip("threadpoolctl")
    env = {"FASTMLP_NUM_THREADS": "4", "FASTMLP_EXACT_THREADS": "1"}
    assert printed(imports + THREADPOOLCTL, **env) == ["1", "4", "1", "4", "4"]


def test_without_threadpoolctl(printed):
    code = "import sys; sys.path_importer_cache.clear(); import fastmlp; sys.path[:] = []\n"
    code += "try: import threadpoolctl\nexcept ImportError: print('none')"
    assert printed(code) == ["none"]


def test_threadpoolctl_too_old_to_register(printed, tmp_path):
    (tmp_path / "threadpoolctl.py").write_text("old = True\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import fastmlp, threadpoolctl"
    assert printed(code + "; print(threadpoolctl.old)") == ["True"]


def test_any_number_of_threads_gives_the_same_bits(printed):
    code = NETWORK + "for n in (1, 2, 3, 8): print(digest(fitted(n_threads=n)))"
    assert len(set(printed(code, FASTMLP_EXACT_THREADS="1"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_threads_start_when_first_needed(printed):
    code = NETWORK + (
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count(); net = fitted(n_threads=1); net.predict(X, n_threads=1)\n"
        "print(count() - before); fitted(n_threads=3); print(count() - before)"
    )
    assert printed(code, FASTMLP_EXACT_THREADS="1") == ["0", "2"]


def test_two_fits_at_once(printed):
    code = NETWORK + (
        "print(digest(fitted(n_threads=1)))\n"
        "def work(): print(digest(fitted(n_threads=4)) + '\\n', end='')\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()"
    )
    digests = printed(code, FASTMLP_EXACT_THREADS="1")
    assert len(digests) == 5
    assert len(set(digests)) == 1


def test_fork_after_use(printed):
    code = NETWORK + (
        "expected = digest(fitted(n_threads=4))\n"
        "print(all(child(lambda: digest(fitted(n_threads=4)) == expected) for _ in range(5)))\n"
        "print(digest(fitted(n_threads=4)) == expected)"
    )
    assert printed(code, FASTMLP_EXACT_THREADS="1") == ["True", "True"]


def test_fork_in_a_callback(printed):
    code = NETWORK + (
        "expected = digest(fitted(n_threads=1)); pids = []\n"
        "def fork(*_): pids.append(os.fork())\n"
        "good = digest(fitted(n_threads=4, callbacks=fork)) == expected\n"
        "if 0 in pids: os._exit(0 if good else 1)\n"
        "print(good, all(os.waitpid(pid, 0)[1] == 0 for pid in pids))"
    )
    # The child of the first epoch forks in the second: it does not wait for its own child.
    assert printed(code, FASTMLP_EXACT_THREADS="1") == ["True", "True"]


@pytest.mark.no_sanitizer  # whose allocator another thread may hold at the fork
def test_fork_while_another_thread_fits(printed):
    code = NETWORK + (
        "expected = digest(fitted(n_threads=3)); stop = threading.Event(); results = []\n"
        "def work():\n"
        "    while not stop.is_set(): results.append(digest(fitted(n_threads=3)) == expected)\n"
        "thread = threading.Thread(target=work); thread.start()\n"
        "good = [child(lambda: digest(fitted(n_threads=3)) == expected) for _ in range(20)]\n"
        "stop.set(); thread.join(); print(all(good), all(results))"
    )
    assert printed(code, FASTMLP_EXACT_THREADS="1") == ["True", "True"]


def test_exit_while_a_daemon_thread_fits(run_python, clean_env):
    code = NETWORK + (
        "import time\n"
        "work = lambda: fitted(epochs=10**6, n_threads=3)\n"
        "threading.Thread(target=work, daemon=True).start(); time.sleep(0.3)"
    )
    done = run_python(code, FASTMLP_EXACT_THREADS="1")
    assert (done.returncode, done.stderr) == (0, "")
