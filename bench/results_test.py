#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of results, report and compare: python3 results_test.py"""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
import results  # noqa: E402


def script(name):
    path = str(pathlib.Path(__file__).resolve().with_name(name))
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def entry(name, speed, **more):
    return {"name": name, "run_type": "iteration", "time_unit": "us", "real_time": 500.0, "cpu_time": 900.0,
            "weights_per_second": speed, "bytes_per_second": speed / 2, "read_fraction": 0.9} | more


END = "4096x4096/t2/cold"
BENCHMARKS = (
    [entry("multiply/1x8/4b/g64/limbs1/" + END, speed) for speed in (40e9, 60e9, 50e9)]
    + [entry("multiply/1x8/4b/g64/limbs1/" + END + "_median", 1e9, run_type="aggregate")]
    + [entry("multiply/1x8/2b/g64/limbs1/" + END, 90e9), entry("multiply/1x8/4b/g64/limbs1/n8/" + END, 5e9,
                                                                multiply_adds_per_second=40e9)]
    + [entry("peer/ggml/Q4_0/" + END, 20e9), entry("peer/ggml/Q4_K+repack/" + END, 25e9)]
    + [entry("peer/openblas/f32/" + END, 8e9), entry("peer/ggml/Q2_K/" + END, 0, error_occurred=True)]
    + [{"name": "READ/sum/t2", "run_type": "iteration", "time_unit": "ms", "real_time": 13.0, "cpu_time": 26.0,
        "bytes_per_second": 40e9},
       entry("PEAK/dot/t2", 0) | {"multiply_adds_per_second": 400e9}])
PLACE = results.Place("4096x4096", 2, "cold")


class Results(unittest.TestCase):
    def setUp(self):
        self.rows = results.rows_of(BENCHMARKS)

    def test_rows_hold_repetitions_without_aggregates_and_errors(self):
        self.assertEqual(self.rows["multiply/1x8/4b/g64/limbs1/" + END].speed, [40e9, 60e9, 50e9])
        self.assertEqual(len(self.rows), 8)
        self.assertEqual(self.rows["READ/sum/t2"].wall, [13000.0])

    def test_names_are_taken_apart(self):
        self.assertEqual(results.place_of("peer/ggml/Q4_0+repack/n32/64x256/t1/llc"),
                         results.Place("64x256", 1, "llc", 32))
        self.assertIsNone(results.place_of("READ/sum/t2"))
        self.assertEqual(results.bits_of("peer/ggml/Q2_K+repack/" + END), 2)
        self.assertIsNone(results.bits_of("peer/ggml/unheard/" + END))
        self.assertEqual(results.library_of("multiply/2-2-4/8b/g32/exact/" + END), "jackplane 2-2-4 g32 exact")

    def test_best_of_a_width_and_read(self):
        self.assertEqual(results.best_of(self.rows, "ggml", PLACE), {4: 25e9})
        self.assertEqual(results.reads(self.rows, 2), {"sum": 40e9})
        self.assertEqual(results.places(self.rows), [PLACE, results.Place("4096x4096", 2, "cold", 8)])


class Report(unittest.TestCase):
    def setUp(self):
        self.report = script("report")
        self.rows = results.rows_of(BENCHMARKS)

    def test_table(self):
        lines = self.report.table(self.rows)
        ours = next(line for line in lines if "1x8/4b" in line)
        self.assertEqual(ours.split(), ["4", "1x8/4b/g64/limbs1", "50.0", "40.0", "..", "60.0", "25.0", "90", "%",
                                        "90", "..", "90", "%", "2.00x", "500.0", "900.0", "!"])
        self.assertIn("READ 40.0 GB/s", lines[0])
        self.assertTrue(any("8 vectors" in line and line.endswith("dots alone 400 Gmac/s") for line in lines))

    def test_ratios_over_what_differs_in_one_word(self):
        def row(name, speed):
            return entry(f"multiply/{name}/{END}", speed)
        rows = results.rows_of([row("1x8/4b/g64/limbs1", 40e9), row("1x8/4b/g64/limbs1@generic", 10e9),
                                row("8/4b/g64/limbs1", 20e9), row("1x8/4b/g32/limbs1", 32e9),
                                row("1x8/4b/g64/exact", 8e9), row("1x8/2b/g64/exact", 9e9)] + BENCHMARKS[-2:-1])
        for word, expected in {"generic": "4.00x", "8": "2.00x", "exact": "5.00x", "g32": "1.25x"}.items():
            lines = self.report.table(rows, word, "avx2")
            self.assertEqual(next(line for line in lines if " 1x8/4b/g64/limbs1 " in line).split()[13], expected)
        of_best = next(line for line in self.report.table(rows, "avx2", "avx2") if "@generic" in line).split()
        self.assertEqual((of_best[1], of_best[13]), ("1x8/4b/g64/limbs1@generic", "0.25x"))
        self.assertEqual(results.library_of(f"multiply/1x8/4b/g64/limbs1@generic/{END}"),
                         "jackplane 1x8 g64 limbs1@generic")
        with self.assertRaises(ValueError):
            results.beside(rows, "limbs9", "avx2")

    def test_chart_is_xml_with_a_line_for_each_library(self):
        document = xml.dom.minidom.parseString(self.report.chart(self.rows, "a < b"))
        self.assertEqual(len(document.getElementsByTagName("polyline")), 3)  # ours, ggml, READ
        self.assertEqual(dict(self.report.curves(self.rows, PLACE)["READ"]), {2: 80e9, 4: 80e9})


class Compare(unittest.TestCase):
    def test_ratio_of_medians(self):
        a = results.rows_of([entry("x", 10e9), entry("y", 1e9), entry("z", 4e9), entry("z", 6e9)])
        b = results.rows_of([entry("x", 12e9), entry("w", 1e9), entry("z", 5.5e9)])
        compare = script("compare")
        self.assertEqual(compare.ratios(a, b), [("x", 10e9, 12e9, 1.2, True), ("z", 5e9, 5.5e9, 1.1, False)])
        self.assertEqual(compare.lines_of(a, b)[2:], ["only in the first: y", "only in the second: w"])


if __name__ == "__main__":
    unittest.main()
