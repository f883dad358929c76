"""Reading the tools' output, the arithmetic and the page: all that can be wrong without a server.

    python3 -m unittest discover scripts/bench
"""

import io
import json
import os
import pathlib
import subprocess
import time
import unittest
import unittest.mock
import xml.etree.ElementTree as xml

import commands
import goals
import load
import machine
import measure
import peers
import plot
import report
import servers
import stats
import wire

REDIS_BENCHMARK_TEXT = """
GET: rps=489650.8 (overall: 489650.8) avg_msec=1.374 (overall: 1.374)
====== GET ======
  200000 requests completed in 0.41 seconds

Latency by percentile distribution:
0.000% <= 0.239 milliseconds (cumulative count 32)
50.000% <= 0.375 milliseconds (cumulative count 103552)
98.438% <= 8.799 milliseconds (cumulative count 196912)
99.219% <= 9.447 milliseconds (cumulative count 198448)
99.902% <= 12.783 milliseconds (cumulative count 199808)
100.000% <= 13.095 milliseconds (cumulative count 200000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
99.184% <= 9.103 milliseconds (cumulative count 198368)
100.000% <= 14.103 milliseconds (cumulative count 200000)

Summary:
  throughput summary: 487804.88 requests per second
"""


def run(server, number, cpu, rps=1.0, command="GET", pipeline=1, section="matrix"):
    """A run as `measure` makes them."""
    made = {"section": section, "round": number, "server": server, "command": command, "pipeline": pipeline}
    return made | {"cpu_s_per_mop": cpu, "rps": rps, "p50_ms": 0.1, "p99_ms": 0.2, "p999_ms": 0.3}


def state(process):
    """What the kernel calls the state of a process: R, S, T and others."""
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1][0]


def state_when_settled(process, wanted):
    """Its state once it is the wanted one, or after ten seconds."""
    until = time.monotonic() + 10
    while state(process) != wanted and time.monotonic() < until:
        pass
    return state(process)


def results(**parts):
    """What a whole run collects, with one candidate and one peer."""
    made = {
        "date": "2026-01-02",
        "command": "run.py",
        "machine": {"cpu": "C", "cores": 2, "memory": "1 kB", "kernel": "6", "os": "L", "commit": "c"},
        "usage": {"busy": 0.5, "steal": 0.0},
        "targets": [
            {"name": "ours", "version": "1", "candidate": True},
            {"name": "a<b", "version": "2", "candidate": False},
        ],
        "commands": ["GET"],
        "pipelines": [1, 16],
        "connections": 50,
        "keys": 10,
        "value_len": 64,
        "pinning": "",
        "pair_pinning": "",
        "memory": [],
        "matrix": [],
        "idle": [],
        "shards": [],
        "insert": None,
        "memtier": [],
        "failures": [],
    }
    return made | parts


class Load(unittest.TestCase):
    def test_the_long_form_of_redis_benchmark_gives_rate_and_percentiles(self):
        outcome = load.parse_redis_benchmark(REDIS_BENCHMARK_TEXT)
        self.assertEqual(outcome, load.Outcome(487804.88, 0.375, 9.103, 12.783))

    def test_a_percentile_is_never_flattered(self):
        self.assertEqual(load.percentile([(50.0, 1.0), (99.8, 2.0), (99.95, 3.0)], 99.9), 3.0)

    def test_output_without_a_summary_is_an_error(self):
        with self.assertRaises(load.LoadError):
            load.parse_redis_benchmark("ERR unknown command")

    def test_memtier_percentiles_are_read_however_many_digits_their_names_have(self):
        for names in (("p50.00", "p99.00", "p99.90"), ("p50", "p99", "p99.9")):
            latencies = dict(zip(names, (0.1, 0.2, 0.3))) | {"Histogram log format": {}}
            text = json.dumps({"ALL STATS": {"Gets": {"Ops/sec": 7.0, "Percentile Latencies": latencies}}})
            self.assertEqual(load.parse_memtier(text, "GET"), load.Outcome(7.0, 0.1, 0.2, 0.3))

    def test_memtier_output_without_the_command_is_an_error(self):
        with self.assertRaises(load.LoadError):
            load.parse_memtier('{"ALL STATS": {}}', "SET")


class Commands(unittest.TestCase):
    def test_a_test_is_asked_for_by_name_or_given_as_a_command_behind_all_options(self):
        named = commands.tool_line("tool", 7, "lpush", 16, 100)
        self.assertEqual(named[-2:], ["-t", "lpush"])
        spelled = commands.tool_line("tool", 7, "xadd", 16, 100)
        self.assertNotIn("-t", spelled)
        self.assertEqual(spelled[-5:], ["XADD", "mystream", "*", "myfield", "xxx"])
        self.assertEqual(named[:-2], spelled[:-5])
        self.assertEqual(spelled[spelled.index("-P") + 1], "16")

    def test_every_row_is_one_that_is_known_to_the_tool_or_spelled(self):
        self.assertIn("xadd", commands.TYPES)
        self.assertEqual(set(commands.SPELLED) - set(commands.TYPES), set())
        self.assertEqual(set(commands.FILLED_BY.values()) - set(commands.TYPES), set())


class Wire(unittest.TestCase):
    def test_requests_are_arrays_of_bulk_strings(self):
        self.assertEqual(wire.encode("SET", b"k", 12), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n12\r\n")

    def test_every_kind_of_reply_is_read(self):
        reader = io.BytesIO(b"*4\r\n+OK\r\n:7\r\n$2\r\nhi\r\n$-1\r\n")
        self.assertEqual(wire.read_reply(reader), ["OK", 7, b"hi", None])

    def test_an_error_reply_is_raised(self):
        with self.assertRaisesRegex(wire.ErrorReply, "ERR no"):
            wire.read_reply(io.BytesIO(b"-ERR no\r\n"))

    def test_a_closed_connection_is_raised(self):
        with self.assertRaises(wire.WireError):
            wire.read_reply(io.BytesIO(b""))

    def test_keys_have_sixteen_bytes_like_those_of_the_load(self):
        self.assertEqual(wire.key(123), b"key:000000000123")
        self.assertEqual(len(wire.key(load.MEMTIER_KEY_FIRST)), 16)


class Kernel(unittest.TestCase):
    def test_resident_bytes_are_read_from_smaps_rollup(self):
        self.assertEqual(servers.rss_bytes_of("00-ff ---p [rollup]\nRss:   12 kB\nPss: 3 kB\n"), 12 * 1024)

    def test_the_cpu_clock_of_a_process_is_that_of_all_its_threads(self):
        clock = (~os.getpid() << 3) | servers.CPUCLOCK_SCHED
        before, now, after = time.process_time(), time.clock_gettime(clock), time.process_time()
        self.assertTrue(before <= now <= after, (before, now, after))

    def test_busy_and_steal_are_shares_of_all_ticks(self):
        usage = machine.steal_and_busy([0] * 8, [10, 0, 10, 60, 0, 0, 10, 10])
        self.assertAlmostEqual(usage["busy"], 0.4)
        self.assertAlmostEqual(usage["steal"], 0.1)

    def test_a_binary_is_known_by_what_it_prints(self):
        debian = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d"
        self.assertEqual(peers.identify(debian, "redis-server"), ("redis-7", "7.0.15", True))
        self.assertEqual(peers.identify("Valkey server v=9.1.2 sha=0", "x"), ("valkey-9", "9.1.2", True))
        self.assertEqual(peers.identify("Stoa server v=0.1.0", "stoa-server"), ("stoa", "0.1.0", False))

    def test_two_builds_of_one_server_get_different_names(self):
        one = servers.Target("stoa", "/a", "1")
        self.assertEqual([each.name for each in peers.told_apart([one, one])], ["stoa", "stoa#2"])

    def test_shards_are_given_to_ours_and_io_threads_to_others(self):
        ours = servers.Target("stoa", "/s", "1", ours=True)
        other = servers.Target("redis", "/r", "7")
        self.assertEqual(ours.arguments(2), [["--shards", "2"]])
        self.assertEqual(other.arguments(1), [[]])
        self.assertEqual(other.arguments(2)[-1], ["--io-threads", "2"])


class Figures(unittest.TestCase):
    def test_ratios_are_taken_inside_a_round(self):
        # The machine was twice as slow in round 1; the ratio does not see it.
        runs = [run("x", 0, 1.0), run("y", 0, 2.0), run("x", 1, 2.0), run("y", 1, 4.0)]
        self.assertEqual(stats.ratio(runs, "cpu_s_per_mop", "x", "y"), 0.5)

    def test_a_server_that_never_met_the_other_has_no_ratio(self):
        runs = [run("x", 0, 1.0), run("y", 1, 2.0)]
        self.assertIsNone(stats.ratio(runs, "cpu_s_per_mop", "x", "y"))

    def test_the_best_peer_has_the_least_cost_and_the_most_operations(self):
        runs = [run("x", 0, 1.0, rps=5.0), run("y", 0, 2.0, rps=9.0)]
        self.assertEqual(stats.best(runs, "cpu_s_per_mop", ["x", "y"]), "x")
        self.assertEqual(stats.best(runs, "rps", ["x", "y"]), "y")
        self.assertIsNone(stats.best(runs, "rps", ["z"]))

    def test_each_server_goes_first_in_turn(self):
        order = [servers.in_turn(["a", "b", "c"], number) for number in range(4)]
        self.assertEqual([each[0] for each in order], ["a", "b", "c", "a"])

    def test_only_the_server_whose_turn_it_is_runs(self):
        started = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
        alive = [servers.Server(servers.Target(name, "/x", "1"), process, 0) for name, process in zip("ab", started)]
        try:
            with unittest.mock.patch.object(servers, "_running", alive):
                with servers.alone(alive[0]):
                    self.assertEqual(state_when_settled(started[1], "T"), "T")
                    self.assertNotEqual(state(started[0]), "T")
                self.assertEqual(state_when_settled(started[1], "S"), "S")
        finally:
            for process in started:
                process.kill()
                process.wait()

    def test_the_slowest_insert_is_found_in_the_last_line(self):
        printed = "8..=9 ns: 1 (100.0000 %)\ncount 1, sum 9 ns, max 412500 ns\n"
        self.assertEqual(measure.insert_us_max(printed), 412.5)
        self.assertIsNone(measure.insert_us_max("not supported"))

    def test_a_goal_is_missed_just_above_its_limit_and_reached_at_it(self):
        for cost, reached in ((0.8, True), (0.81, False)):
            runs = [run("ours", 0, cost, pipeline=16), run("a<b", 0, 1.0, pipeline=16)]
            rows = goals.judge(results(matrix=runs), "ours", ["a<b"])
            found = [row for row in rows if row[0].startswith("CPU per operation, GET, pipeline 16")]
            self.assertEqual([row[3] for row in found], [reached])

    def test_goals_of_sections_that_did_not_run_are_not_listed(self):
        self.assertEqual(goals.judge(results(), "ours", ["a<b"]), [])


class Page(unittest.TestCase):
    def test_a_table_has_as_many_cells_in_every_line(self):
        lines = report.table(["a", "b"], [["1", "2"], ["3", "4"]]).splitlines()
        self.assertEqual({line.count("|") for line in lines}, {3})

    def test_the_page_shows_medians_and_ratio_and_marks_the_best_peer(self):
        page = report.markdown(results(matrix=[run("ours", 0, 4.0), run("a<b", 0, 8.0)]))
        self.assertIn("| ours | 4.000 | - |", page)
        self.assertIn("| a<b | **8.000** | - |", page)
        self.assertIn("| ours / best peer | 0.50x |", page)

    def test_a_section_that_failed_is_told_on_the_page(self):
        self.assertIn("- **Failed**: idle: gone", report.markdown(results(failures=["idle: gone"])))

    def test_the_page_of_a_run_without_candidate_has_no_goals(self):
        alone = results(matrix=[run("a<b", 0, 8.0)])
        alone["targets"] = alone["targets"][1:]
        self.assertNotIn("Goals", report.markdown(alone))

    def test_a_row_missing_from_one_section_does_not_hide_the_other(self):
        page = report.markdown(results(memory=[
            {"server": "ours", "bytes_per_key": 100.0, "empty_bytes": 2**20, "keys": 10},
        ]))
        self.assertIn("| ours | 100.0 | 1.0 | - | - | - |", page)

    def test_the_chart_is_xml_with_a_bar_for_every_figure(self):
        runs = [run("ours", 0, 4.0), run("a<b", 0, 8.0), run("a<b", 0, 1.0, pipeline=16)]
        tree = xml.fromstring(plot.chart(results(matrix=runs)))
        space = "{http://www.w3.org/2000/svg}"
        bars = [rect for rect in tree.iter(f"{space}rect") if rect.find(f"{space}title") is not None]
        self.assertEqual(len(bars), 3)
        self.assertEqual({bar.find(f"{space}title").text for bar in bars}, {"ours: 4.000", "a<b: 8.000", "a<b: 1.000"})
        heights = [float(bar.get("height")) for bar in bars[:2]]
        self.assertAlmostEqual(heights[1] / heights[0], 2.0, places=2)


if __name__ == "__main__":
    unittest.main()
