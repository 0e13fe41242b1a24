# SPDX-License-Identifier: Apache-2.0
"""The comparer of scenarios must see each kind of difference, and none where there is none."""
import unittest

from run_scenarios import agree


def delivery(insert=(), remove=(), step=0, statement="out"):
    return {"step": step, "statement": statement, "insert": list(insert), "remove": list(remove)}


A, B = {"x": 1, "y": "a"}, {"x": 2.5, "y": None}


class Agree(unittest.TestCase):
    def check(self, want, got, fine, ordered=False):
        lines = agree({"expect": want, "ordered": ordered}, got)
        self.assertEqual(fine, not lines, lines)

    def test_equal(self):
        self.check([delivery([A, B])], [delivery([A, B])], True)

    def test_rows_are_a_multiset(self):
        self.check([delivery([A, B])], [delivery([B, A])], True)
        self.check([delivery([A, A, B])], [delivery([A, B, B])], False)

    def test_rows_in_order_when_asked(self):
        self.check([delivery([A, B])], [delivery([B, A])], False, ordered=True)

    def test_grouping_counts(self):
        self.check([delivery([A]), delivery([B])], [delivery([A, B])], False)

    def test_deliveries_are_a_multiset(self):
        pair = [delivery([A]), delivery([B])]
        self.check(pair, pair[::-1], True)
        self.check(pair, pair[::-1], False, ordered=True)

    def test_side_counts(self):
        self.check([delivery([A])], [delivery(remove=[A])], False)

    def test_step_and_statement_count(self):
        self.check([delivery([A])], [delivery([A], step=1)], False)
        self.check([delivery([A])], [delivery([A], statement="other")], False)

    def test_missing_and_unexpected(self):
        self.check([delivery([A])], [], False)
        self.check([], [delivery([A])], False)

    def test_empty_delivery_is_none(self):
        self.check([], [delivery()], True)

    def test_numbers_by_value(self):
        self.check([delivery([{"x": 1}])], [delivery([{"x": 1.0}])], True)
        self.check([delivery([{"x": 0.1}])], [delivery([{"x": 0.1 + 1e-12}])], True)
        self.check([delivery([{"x": 0.1}])], [delivery([{"x": 0.1001}])], False)
        self.check([delivery([{"x": 2**62}])], [delivery([{"x": 2**62 + 1}])], False)

    def test_kinds_are_told_apart(self):
        for want, got in ((1, True), (0, False), ("1", 1), (None, 0), ("NaN", None), ([], {})):
            self.check([delivery([{"x": want}])], [delivery([{"x": got}])], False)

    def test_missing_key_is_no_null(self):
        self.check([delivery([{"x": None, "y": 1}])], [delivery([{"y": 1}])], False)

    def test_lists_keep_their_order(self):
        self.check([delivery([{"x": [1, 2]}])], [delivery([{"x": [2, 1]}])], False)

    def test_queries(self):
        self.check([{"step": 1, "query": [A, B]}], [{"step": 1, "query": [B, A]}], True)
        self.check([{"step": 1, "query": [A]}], [{"step": 1, "query": []}], False)
        self.check([{"step": 1, "query": []}], [], False)
        self.check([], [{"step": 1, "query": []}], False)

    def test_refusals(self):
        self.check([{"error": "compile"}], [{"error": "compile"}], True)
        self.check([{"error": "compile"}], [], False)
        self.check([], [{"error": "compile"}], False)
        self.check([{"step": 1, "error": "send"}], [{"step": 1, "error": "query"}], False)


if __name__ == "__main__":
    unittest.main()
