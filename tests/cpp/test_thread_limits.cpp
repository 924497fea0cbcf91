// How many threads may run: texts of the environment and of control groups, and the limit in force.

#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "check.hpp"
#include "threads/thread_limits.hpp"

namespace {

void test_parsing() {
    using fastmlp::parse_thread_count;
    CHECK(parse_thread_count("3", false) == 3);
    CHECK(parse_thread_count(" 12 \n", false) == 12);
    CHECK(parse_thread_count("4,2,1", true) == 4);
    for (const char* bad : {"", "0", "-1", "two", "2x", "1.5", "4,2", "99999999999999999999"}) {
        CHECK(!parse_thread_count(bad, false));
    }
    CHECK(!parse_thread_count(",4", true));
}

void test_quota() {
    const auto quota = [](const char* membership, std::map<std::string, std::string> files) {
        return fastmlp::cgroup_quota(
            membership, [files](const std::string& path) -> std::optional<std::string> {
                const auto file = files.find(path);
                if (file == files.end()) return std::nullopt;
                return file->second;
            });
    };
    CHECK(!quota("", {}));
    CHECK(!quota("0::/\n", {{"/sys/fs/cgroup/cpu.max", "max 100000\n"}}));
    CHECK(quota("0::/\n", {{"/sys/fs/cgroup/cpu.max", "250000 100000\n"}}) == 3);
    CHECK(quota("0::/\n", {{"/sys/fs/cgroup/cpu.max", "1000 100000\n"}}) == 1);
    // the smallest on the way up
    CHECK(quota("0::/a/b\n", {{"/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n"},
                              {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"}}) == 2);
    // version 1, under either name of the mount; -1 is no quota
    const char* const v1 = "5:memory:/x\n4:cpu,cpuacct:/x\n";
    CHECK(quota(v1, {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "150000\n"},
                     {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}}) == 2);
    CHECK(quota(v1, {{"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n"},
                     {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}}) == 4);
    CHECK(!quota(v1, {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n"},
                      {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}}));
    // nonsense is no quota, and ends
    CHECK(!quota("garbage\n::\n0::nowhere\n0::/\n", {{"/sys/fs/cgroup/cpu.max", "1 0\n"}}));
}

void test_limits() {
    CHECK(fastmlp::machine_threads() >= 1);
    fastmlp::set_num_threads(5);
    CHECK(fastmlp::get_num_threads() == 5 && fastmlp::threads_allowed(0) == 5);
    CHECK(fastmlp::threads_allowed(9) == 9);
    bool thrown = false;
    try {
        fastmlp::set_num_threads(-1);
    } catch (const std::invalid_argument&) {
        thrown = true;
    }
    CHECK(thrown && fastmlp::get_num_threads() == 5);
    fastmlp::set_num_threads(0);
    CHECK(fastmlp::get_num_threads() == fastmlp::machine_threads());
}

}  // namespace

int main() {
#if !defined(_WIN32)
    setenv("FASTMLP_EXACT_THREADS", "1", 1);
    unsetenv("FASTMLP_NUM_THREADS");
    test_limits();
#endif
    test_parsing();
    test_quota();
    return check::report();
}
