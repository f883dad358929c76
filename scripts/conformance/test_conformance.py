"""Tests of the parts that need no server: python3 -m unittest discover scripts/conformance"""

from __future__ import annotations

import base64
import random
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compare
import fetch
import grammar
import reasons
import resp
import shrink
import tcl_suite
from differential import Pair, batch_at, form, keyspaces_differ, signature
from grammar import Generator, Step
from tcl_suite import Outcome, UnitRun


class FakeSocket:
    """Gives its bytes in the pieces it was told."""

    def __init__(self, pieces: list[bytes]):
        self.pieces = list(pieces)

    def recv(self, _: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def reader(pieces: list[bytes]) -> resp.Connection:
    connection = resp.Connection.__new__(resp.Connection)
    connection.socket, connection.buffer, connection.at = FakeSocket(pieces), bytearray(), 0
    return connection


class Replies(unittest.TestCase):
    DATA = b"*3\r\n$3\r\na\r\n\r\n:-5\r\n%1\r\n+k\r\n_\r\n-ERR no\r\n$-1\r\n"
    WANT = [("*", [("$", b"a\r\n"), (":", b"-5"), ("%", [("+", b"k"), ("_", b"")])]), ("-", b"ERR no"), ("$", None)]

    def test_a_stream_cut_anywhere_gives_the_same_replies(self):
        for cut in range(len(self.DATA) + 1):
            r = reader([piece for piece in (self.DATA[:cut], self.DATA[cut:]) if piece])
            self.assertEqual([r.read() for _ in self.WANT], self.WANT, f"cut at {cut}")

    def test_one_byte_at_a_time_is_enough(self):
        r = reader([self.DATA[i : i + 1] for i in range(len(self.DATA))])
        self.assertEqual([r.read() for _ in self.WANT], self.WANT)

    def test_an_end_in_the_middle_and_what_is_no_reply_are_told(self):
        for data in (b"$5\r\nab", b"", b"hello\r\n", b"$x\r\n", b"$1\r\nabc\r\n"):
            with self.assertRaises(resp.Broken, msg=repr(data)):
                reader([data] if data else []).read()

    def test_every_kind_of_reply_can_be_shown(self):
        stream = b"%1\r\n+a\r\n*1\r\n:1\r\n|1\r\n$1\r\nk\r\n_\r\n~1\r\n,1.5\r\n*-1\r\n=5\r\ntxt:x\r\n"
        connection = reader([stream])
        shown = [resp.show(connection.read()) for _ in range(5)]
        self.assertEqual(shown, ["%[+a, *[:1]]", "|[k, _]", "~[,1.5]", "*-1", "=txt:x"])
        self.assertEqual(resp.show(("!!", b"no reply in time")), '!!"no reply in time"')
        self.assertEqual(resp.show(None), "(nothing)")

    def test_quoted_words_stay_one_word(self):
        self.assertEqual(resp.quote(b"key:1"), "key:1")
        self.assertEqual(resp.quote(b""), '""')
        self.assertEqual(resp.quote(b'a"b\\\x00'), '"a\\"b\\\\\\x00"')


class Grammar(unittest.TestCase):
    def test_every_line_parses_and_every_kind_exists(self):
        values = grammar.Values(random.Random(1))
        for lines in grammar.GROUPS.values():
            for _, line in lines:
                for _ in range(20):
                    for word in grammar.expand(grammar.parse(line.lstrip("@")), values):
                        self.assertIsInstance(word, bytes, line)

    def test_an_unbalanced_line_is_refused(self):
        for line in ("SET [NX", "SET NX]", "SET (a|b", "a | b)"):
            with self.assertRaises(AssertionError, msg=line):
                grammar.parse(line)

    def test_the_same_seed_gives_the_same_steps(self):
        one, two = (Generator(7, grammar.DEFAULT_GROUPS) for _ in range(2))
        self.assertEqual([one.step() for _ in range(500)], [two.step() for _ in range(500)])

    def test_no_value_asks_for_hundreds_of_megabytes(self):
        generator = Generator(3, ["string", "bitmap"])
        for _ in range(20_000):
            step = generator.step()
            verb = step.argv[0].upper() if step.argv else b""
            if verb in (b"SETRANGE", b"SETBIT") and len(step.argv) == 4 and step.argv[2].isdigit():
                offset = int(step.argv[2])
                obeyed = offset < (2**32 if verb == b"SETBIT" else 2**29)
                self.assertFalse(obeyed and offset > 4_000_000, step)

    def test_commands_left_out_do_not_come(self):
        generator = Generator(5, ["string"], without=frozenset({("GET",), ("LCS",)}))
        verbs = {generator.step().argv[0].upper() for _ in range(3000)}
        self.assertNotIn(b"GET", verbs)
        self.assertNotIn(b"LCS", verbs)
        self.assertIn(b"SET", verbs)

    def test_a_name_is_the_command_with_its_subcommand(self):
        self.assertEqual(grammar.names("CLIENT KILL ID 1"), ("CLIENT", "KILL"))
        self.assertEqual(grammar.names("OBJECT (ENCODING|FREQ) {key}"), ("OBJECT",))
        self.assertEqual(grammar.names("BITOP NOT {key}"), ("BITOP",))
        self.assertEqual(grammar.names("@scan [MATCH a]"), ("SCAN",))


class Comparison(unittest.TestCase):
    def same(self, line: str, ours, theirs) -> bool:
        return compare.same(tuple(line.encode().split()), ours, theirs)

    def test_replies_differ_by_kind_and_by_spelling(self):
        self.assertFalse(self.same("GET a", ("$", b"1"), (":", b"1")))
        self.assertFalse(self.same("INCR a", (":", b"1"), (":", b"+1")))
        self.assertFalse(self.same("GET a", ("-", b"ERR a"), ("-", b"ERR b")))

    def test_clocks_may_differ_a_little_but_not_in_meaning(self):
        self.assertTrue(self.same("PTTL a", (":", b"100000"), (":", b"99000")))
        self.assertFalse(self.same("PTTL a", (":", b"-1"), (":", b"99000")))
        self.assertFalse(self.same("PTTL a", (":", b"-1"), (":", b"-2")))
        self.assertFalse(self.same("PTTL a", (":", b"100000"), (":", b"900000")))

    def test_keys_come_in_any_order_but_all(self):
        a, b = ("$", b"a"), ("$", b"b")
        self.assertTrue(self.same("KEYS *", ("*", [a, b]), ("*", [b, a])))
        self.assertFalse(self.same("KEYS *", ("*", [a, b]), ("*", [a])))

    def test_config_pairs_come_in_any_order(self):
        w = [("$", word) for word in (b"x", b"1", b"y", b"2")]
        self.assertTrue(self.same("CONFIG GET x y", ("*", w), ("*", w[2:] + w[:2])))
        self.assertFalse(self.same("CONFIG GET x y", ("*", w), ("*", [w[0], w[3], w[2], w[1]])))

    def test_a_client_line_must_hold_every_field_of_the_reference(self):
        ours, good, bad = (("$", line) for line in (b"id=1 name= db=0\n", b"id=9 name= db=0 lib=x\n", b"id=9 db=0\n"))
        self.assertTrue(self.same("CLIENT INFO", ours, good))
        self.assertFalse(self.same("CLIENT INFO", ours, bad))

    def test_raw_bytes_are_equal_but_for_identity(self):
        line = b"%%2\r\n$7\r\nversion\r\n$%d\r\n%s\r\n$2\r\nid\r\n:%d\r\n+PONG\r\n"
        self.assertTrue(compare.raw(line % (6, b"7.0.15", 3), line % (5, b"7.4.7", 88)))
        self.assertFalse(compare.raw(b"+PONG\r\n", b"+OK\r\n"))

    def test_a_known_difference_is_of_one_version_only(self):
        argv = (b"BITCOUNT", b"none", b"x")
        self.assertIsNotNone(compare.known("7.0", argv, (":", b"0"), ("-", b"ERR syntax error")))
        self.assertIsNone(compare.known("7.4", argv, (":", b"0"), ("-", b"ERR syntax error")))

    def test_a_sort_that_the_reference_refuses_for_an_old_error_parts_the_keys_when_it_stores(self):
        refused, error = ("-", b"ERR One or more scores can't be converted into double"), ("-", b"ERR other")
        stores, reads = (b"sort", b"k", b"store", b"to"), (b"SORT", b"k")
        self.assertIn(compare.known("7.4", stores, refused, (":", b"1")), compare.PARTS)
        self.assertNotIn(compare.known("7.4", reads, refused, ("*", [])), [None, *compare.PARTS])
        self.assertIsNone(compare.known("7.4", stores, refused, error))
        self.assertIsNone(compare.known("7.4", stores, (":", b"2"), (":", b"1")))

    def test_the_memory_of_a_key_past_its_deadline_is_known_and_of_no_other(self):
        usage = (b"MEMORY", b"USAGE", b"k")
        self.assertIsNotNone(compare.known("7.4", usage, (":", b"56"), ("$", None)))
        self.assertIsNotNone(compare.known("7.4", usage, (":", b"56"), ("_", b"")))
        self.assertIsNone(compare.known("7.4", usage, ("$", None), (":", b"56")))
        self.assertIsNone(compare.known("7.4", usage, (":", b"56"), ("-", b"ERR")))
        self.assertIsNone(compare.known("7.4", (b"STRLEN", b"k"), (":", b"56"), ("$", None)))

    def test_replies_behind_a_known_difference_that_parts_the_keys_are_not_compared(self):
        pair, flushed = Pair.__new__(Pair), []
        pair.version, pair.known, pair.queues, pair.parted = "7.4", {}, {}, False
        store, get = Step(0, "call", (b"SORT", b"k", b"STORE", b"to")), Step(0, "call", (b"LLEN", b"to"))
        refused = ("-", b"ERR One or more scores can't be converted into double")

        def node(replies):
            return SimpleNamespace(batch=lambda group: replies.pop(0), keyspace=lambda: ("*", []),
                                   admin=SimpleNamespace(call=lambda *words: flushed.append(words)))
        pair.ours, pair.theirs = node([[refused, (":", b"0")]]), node([[(":", b"1"), (":", b"1")]])
        self.assertIsNone(pair.run([store, get], True, None))
        self.assertEqual(flushed, [("FLUSHALL",)] * 2)
        # Behind the batch everything is compared again; and so it is inside of a transaction.
        pair.ours, pair.theirs = node([[(":", b"0")]]), node([[(":", b"1")]])
        self.assertIsNotNone(pair.run([get], True, None))
        execute = Step(0, "call", (b"EXEC",))
        for queued, found in (([store, get], False), ([get, store], True)):
            pair.parted, pair.queues = False, {0: [step.argv for step in queued]}
            answers = {store: (refused, (":", b"1")), get: ((":", b"0"), (":", b"1"))}
            mine, other = (("*", [answers[step][side] for step in queued]) for side in (0, 1))
            self.assertEqual(pair.differs(execute, mine, other), found)

    def test_keyspaces_differ_by_value_kind_and_deadline(self):
        def key(value, ttl):
            return ("*", [("db", b"0"), ("$", b"k"), ("+", b"string"), ("$", value), (":", ttl)])
        self.assertIsNone(keyspaces_differ(("*", [key(b"v", b"5000")]), ("*", [key(b"v", b"4000")])))
        self.assertIsNotNone(keyspaces_differ(("*", [key(b"v", b"-1")]), ("*", [key(b"v", b"4000")])))
        self.assertIsNotNone(keyspaces_differ(("*", [key(b"v", b"-1")]), ("*", [key(b"w", b"-1")])))
        self.assertIsNotNone(keyspaces_differ(("*", [key(b"v", b"-1")]), ("*", [])))

    def test_mismatches_that_look_alike_have_one_signature(self):
        a = signature(Step(0, "call", (b"incr", b"a")), (":", b"1"), ("-", b"ERR value 'x' at 12"))
        b = signature(Step(1, "call", (b"INCR", b"b")), (":", b"2"), ("-", b"ERR value 'yy' at 99"))
        self.assertEqual(a, b)
        self.assertEqual(form(("$", None)), form(("_", b"")))

    def test_batches_keep_to_one_connection_and_stop_before_what_goes_alone(self):
        steps = [Step(0, "call", (b"GET",)), Step(0, "call", (b"GET",)), Step(1, "call", (b"GET",)), Step(1, "raw", (b"x",))]
        self.assertEqual([len(batch_at(steps, at, 9)) for at in range(4)], [2, 1, 1, 1])
        self.assertEqual(len(batch_at([Step(0, "call", (b"auth",)), steps[0]], 0, 9)), 1)


class Shrinking(unittest.TestCase):
    def test_only_what_is_needed_is_left(self):
        steps = [Step(i % 3, "call", (b"SET", b"k%d" % i, b"long value")) for i in range(200)]
        steps[40] = Step(1, "call", (b"BAD", b"x", b"12345"))
        steps[150] = Step(2, "call", (b"WORSE", b"y"))

        def fails(program):
            verbs = [step.argv[0] for step in program]
            return b"BAD" in verbs and b"WORSE" in verbs and verbs.index(b"BAD") < verbs.index(b"WORSE")

        small = shrink.shrink(steps[:151], fails)
        self.assertEqual([step.argv for step in small], [(b"BAD",), (b"WORSE",)])
        self.assertEqual({step.conn for step in small}, {0})

    def test_what_fails_only_as_it_is_stays_so(self):
        steps = [Step(0, "call", (b"A", b"b")), Step(1, "call", (b"C",))]
        self.assertEqual(shrink.shrink(steps, lambda program: program == steps), steps)

    def test_the_budget_ends_the_search(self):
        tries = []
        steps = [Step(0, "call", (b"SET", b"%d" % i)) for i in range(1000)]
        shrink.shrink(steps, lambda program: bool(tries.append(1)) or len(program) == 1000, tries=50)
        self.assertLessEqual(len(tries), 50)

    def test_raw_bytes_lose_lines(self):
        steps = [Step(0, "raw", (b"PING\r\nGET a", b"\r\nBOOM\r\nPING\r\n"))]
        small = shrink.shrink(steps, lambda program: b"BOOM" in b"".join(program[0].argv))
        self.assertEqual(small[0].argv, (b"BOOM\r\n",))


class Reasons(unittest.TestCase):
    def rule(self, unit, test, text="", reason="why"):
        return reasons.Rule(unit, test, text, reason, line=1)

    def judge(self, outcomes, rules, reference=None):
        run = UnitRun("unit/x", outcomes=outcomes)
        return reasons.judge([run], rules, reference or {})

    def test_a_failure_without_a_rule_is_unexplained(self):
        verdict = self.judge([Outcome("unit/x", "a", "fail", "text"), Outcome("unit/x", "b", "pass")], [])
        self.assertEqual([o.test for o in verdict.unexplained], ["a"])

    def test_a_class_explains_by_the_text_of_the_failure(self):
        rules = [self.rule("*", "*", "unknown command '(rpush|lpush)'", "needs lists")]
        verdict = self.judge([
            Outcome("unit/x", "a", "err", "ERR unknown command 'RPUSH', with"), Outcome("unit/x", "b", "err", "ERR unknown command 'get'"),
        ], rules)
        self.assertEqual([reason for _, reason in verdict.explained], ["needs lists"])
        self.assertEqual([o.test for o in verdict.unexplained], ["b"])

    def test_an_exact_rule_whose_test_passes_is_stale_and_a_class_never(self):
        rules = [self.rule("unit/x", "a"), self.rule("unit/x", "gone"), self.rule("*", "/a/", "zzz")]
        verdict = self.judge([Outcome("unit/x", "a", "pass")], rules)
        self.assertEqual([rule.test for rule in verdict.stale], ["a"])

    def test_what_fails_on_the_reference_needs_no_rule(self):
        verdict = self.judge([Outcome("unit/x", "a", "fail")], [], {"unit/x": {"a": "fail"}})
        self.assertEqual(len(verdict.explained), 1)

    def test_the_kept_file_reads(self):
        rules = reasons.read()
        self.assertTrue(all(rule.reason for rule in rules))

    def test_the_fragment_has_a_row_for_each_failure(self):
        run = UnitRun("unit/x", outcomes=[Outcome("unit/x", "a|b", "fail", "t"), Outcome("unit/x", "c", "pass")])
        page = reasons.markdown([run], reasons.judge([run], [], {}))
        self.assertIn("| unit/x | 2 | 2 | 1 | 1 | 50.0 % |", page)
        self.assertIn("a\\|b", page)

    def test_what_needs_later_features_does_not_apply_and_what_differs_on_purpose_does(self):
        run = UnitRun("unit/x", outcomes=[Outcome("unit/x", name, "fail") for name in "abc"] + [Outcome("unit/x", "d", "pass")])
        rules = [
            reasons.Rule("unit/x", "a", "", "needs replication", 1),
            reasons.Rule("unit/x", "b", "", "our way is another", 2),
            reasons.Rule("unit/x", "c", "", "since 7.2 it is otherwise", 3),
        ]
        verdict = reasons.judge([run], rules, {})
        self.assertEqual(reasons.counts(run, verdict), (2, 1, 1, 0, 4))


class Suite(unittest.TestCase):
    def line(self, kind, *fields):
        return "\t".join([kind, *(base64.b64encode(f.encode()).decode() for f in fields)]) + "\n"

    def test_a_test_begun_and_never_ended_is_an_error(self):
        reader = tcl_suite.Reader("u")
        for line in (self.line("begin", "a"), self.line("pass", "a", "3", ""), self.line("begin", "b\tc"), self.line("begin", "d")):
            reader.feed(line)
        reader.close("stuck")
        self.assertEqual([(o.test, o.status) for o in reader.run.outcomes], [("a", "pass"), ("b\tc", "err"), ("d", "err")])

    def test_baseline_tests_that_never_ran_are_missing(self):
        run = UnitRun("u", outcomes=[Outcome("u", "a", "pass")], body=["ERR unknown command 'x'"])
        tcl_suite.add_missing(run, {"a": "pass", "b": "pass", "c": "fail"})
        self.assertEqual([(o.test, o.status) for o in run.outcomes], [("a", "pass"), ("b", "missing")])
        self.assertIn("unknown command 'x'", run.outcomes[1].text)

    def test_a_baseline_written_is_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "b.tsv"
            run = UnitRun("u", outcomes=[Outcome("u", "odd\tname\n\\n", "pass"), Outcome("u", "z", "fail")])
            tcl_suite.write_baseline([("encodings-apart", run), ("full", run)], "head", path)
            self.assertEqual(tcl_suite.read_baseline("full", path), {"u": {"odd\tname\n\\n": "pass", "z": "fail"}})
            self.assertEqual(tcl_suite.read_baseline("other", path), {})
            other = UnitRun("v", outcomes=[Outcome("v", "new", "pass")])
            again = UnitRun("u", outcomes=[Outcome("u", "z", "pass")])
            tcl_suite.write_baseline([("full", other), ("full", again)], "head", path)
            self.assertEqual(tcl_suite.read_baseline("full", path), {"u": {"z": "pass"}, "v": {"new": "pass"}})
            self.assertEqual(len(tcl_suite.read_baseline("encodings-apart", path)["u"]), 2)

    def test_every_milestone_has_a_recorded_baseline(self):
        for plan in tcl_suite.milestones([]):
            units = tcl_suite.read_baseline(plan.profile)
            for unit in [tcl_suite.label(*task) for task in plan.tasks()]:
                self.assertTrue(units.get(unit), f"{plan.name}: no baseline of {unit}")

    def test_a_unit_of_two_milestones_is_asked_once(self):
        tasks = [task for plan in tcl_suite.milestones([]) for task in plan.tasks()]
        self.assertEqual(len(tasks), len(set(tasks)))
        alone = tcl_suite.milestones(["data-types"])[0].tasks()
        self.assertIn(("unit/scan", False), alone)


class Fetching(unittest.TestCase):
    def test_source_lists_are_the_machines_own_with_source_types(self):
        with tempfile.TemporaryDirectory() as folder:
            parts = Path(folder) / "sources.list.d"
            parts.mkdir()
            (parts / "debian.sources").write_text("Types: deb\nURIs: http://deb.debian.org/debian\nSuites: s\nComponents: main\n")
            (parts / "other.sources").write_text("Types: deb\nURIs: http://example.org/x\nSuites: s\nComponents: main\n")
            (parts / "old.list").write_text("deb [signed-by=/k.gpg] http://deb.debian.org/debian old main contrib\n# deb http://deb.debian.org/no x main\n")
            text = fetch.source_lists(Path(folder))
        self.assertIn("Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: s", text)
        self.assertIn("Signed-By: /k.gpg\nURIs: http://deb.debian.org/debian\nSuites: old\nComponents: main contrib", text)
        self.assertNotIn("example.org", text)
        self.assertNotIn("Types: deb\n", text)


if __name__ == "__main__":
    unittest.main()
