# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: the cells, and the command of each."""
import pathlib
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODEL = "examples/model"
QUANTIZE = ("quantize", MODEL, "--dense-head")  # as the cells were made: the head is no question here
TUNED = "examples/results/tuned.jack"
CALIBRATION = "examples/data/calibration.txt"
VALIDATION = "examples/data/validation.txt"
REACHES = ("0.5", "4", "16", "32")  # steps of 8 bits
WIDTHS = ("--widths", "2,3,4,6,8")


def divided(*widths):
    """Finer codes divide the cells of coarser ones."""
    return "--no-overlap", *widths, "--finer-iters", "60"


DIVIDED = divided(*WIDTHS)
SHORT = {"searched-scale": ("--mse",), "suppressed-outliers": ("--suppress-outliers",), "balanced": ("--balance",),
         "symmetric": ("--scheme", "gptq-sym"), "full-range": ("--scheme", "full-range"),
         "own-scales": ("--scale-iters", "60")}


@dataclass(frozen=True)
class Cell:
    arguments: tuple    # of `jackplane quantize`
    widths: tuple       # that the file is read at
    inside: tuple = ()  # arguments of another file, whose codes stay: --inside


@dataclass(frozen=True)
class Mix:
    """tuned.jack with a width for each layer: these, or what `jackplane allocate` gives."""
    widths: tuple = ()
    allocate: tuple = ()  # arguments


@dataclass(frozen=True)
class Estimates:
    """What `jackplane sensitivity` says of weights to the nearest code, each with other arguments."""
    bits: int
    asked: tuple        # of tuples of arguments
    maps: bool = False  # the changes of single weights, too: how they are spread


@dataclass(frozen=True)
class Scores:
    """A file scored as decoding computes it: each kind of x at each width."""
    arguments: tuple = ()  # of `jackplane quantize`; none: tuned.jack


@dataclass(frozen=True)
class Kept:
    """A file of nearest codes of 8 bits, scored as decoding computes it: each width of keys and values."""
    context: int
    kv_bits: tuple
    stretch: int = 0  # YaRN: by how much the model's context grows


@dataclass(frozen=True)
class Speed:
    arguments: tuple       # of `jackplane bench-decode`
    beside: bool = False   # llama.cpp, in turns


@dataclass(frozen=True)
class Files:
    """GGUF files of these types, which llama.cpp judges."""
    types: tuple
    arguments: tuple = ()  # of `jackplane quantize`; none: llama.cpp quantizes, with an importance matrix
    padded: bool = False   # rows of 704 get zero weights up to 768, three blocks of 256


PADDED = 768
# llama.cpp's types, by size.
THEIRS = ("iq2_xxs", "iq2_xs", "iq2_s", "q2_k", "iq3_xxs", "q3_k", "iq3_s", "iq4_xs", "iq4_nl", "q4_0", "q4_k", "q4_1",
          "q5_0", "q5_k", "q5_1", "q6_k", "q8_0")
OURS = ("q2_k", "q3_k", "iq4_nl", "q4_0", "q4_k", "q4_1", "q5_0", "q5_k", "q6_k", "q8_0")
METHODS = ("rtn", "gptq", "signround")  # mse makes what llama.cpp makes
ACTIVATIONS = ("exact", "limbs3", "limbs2", "limbs1", "bf16")
KV_BITS = (16, 8, 6, 5, 4, 3, 2)
RULES = ("gauss", "midpoint", "trapezoid", "simpson", "inclusive_mean")
PATHS = ("0.1", "0.05", "0.01", "0.005", "0.001")
TOP = (0.15, 0.71, 5.25)  # percent of the weights, those of the largest changes


def sparse_cells():
    """A few weights beside the planes: which, how many, as what."""
    out = {}
    twenty = ("--calibration", CALIBRATION, "--nsamples", "20")
    for bits in (4, 3, 2):
        at = ("--bits", str(bits))
        out[f"estimates-w{bits}"] = Estimates(bits, ((*at, *twenty, "--fisher-tokens", "64"),), True)
        four = (*at, "--calibration", CALIBRATION, "--nsamples", "4", "--no-taylor", "--total-only")
        out[f"rules-w{bits}"] = Estimates(bits, tuple((*four, "--rule", rule, "--intervals", str(intervals))
                                                      for rule in RULES for intervals in (4, 8, 16, 32)))
        out[f"paper-w{bits}"] = Estimates(bits, ((*at, "--calibration", CALIBRATION, "--nsamples", "100", "--no-taylor",
                                                  "--total-only", "--rule", "inclusive_mean", "--intervals", "32"),))
    out["paths-w4"] = Estimates(4, tuple(("--bits", "4", *twenty, "--no-taylor", "--total-only", "--path", path)
                                         for path in PATHS))
    two = ("--method", "rtn", "--bits", "2", *twenty)
    both = ("--outliers", "0.45", "--significant", "0.05", "--significant-rule", "pqi")  # ReQuant
    by_twenty = (*both, "--detach-nsamples", "20")  # where the method itself sees more
    integral = ("--significant", "0.5", "--significant-rule", "pqi")
    first = ("--outliers", "0.5")
    pursuit = ("--significant-rule", "pursuit", "--validation", VALIDATION)
    fit = ("--fit", "--validation", VALIDATION)
    for score in ("pqi", "rise", "fisher", "magnitude"):
        out[f"sparse-{score}"] = Cell((*two, "--significant", "0.5", "--significant-rule", score), (2,))
    out["sparse-each-sample"] = Cell((*two, *integral, "--each-sample"), (2,))
    for steps in (1, 4):
        out[f"sparse-steps-{steps}"] = Cell((*two, *integral, "--detach-steps", str(steps)), (2,))
    for rule in ("even", "interquartile", "adaptive"):
        out[f"sparse-outliers-{rule}"] = Cell((*two, "--outliers", "0.5", "--outlier-rule", rule), (2,))
    for seed in (0, 1, 2):
        suffix, more = (f"-seed{seed}", ("--seed", str(seed))) if seed else ("", ())
        out[f"sparse-random{suffix}"] = Cell((*two, "--significant", "0.5", "--significant-rule", "random", *more),
                                             (2,))
        out[f"sparse-both{suffix}"] = Cell((*two, *both, *more), (2,))
        if seed:
            out[f"sparse-each-sample{suffix}"] = Cell((*two, *integral, "--each-sample", *more), (2,))
            out[f"sparse-outliers-adaptive{suffix}"] = Cell((*two, *first, *more), (2,))
            for steps in ("1", "4"):
                out[f"sparse-steps-{steps}{suffix}"] = Cell((*two, *integral, "--detach-steps", steps, *more), (2,))
            out[f"sparse-fisher{suffix}"] = Cell((*two, "--significant", "0.5", "--significant-rule", "fisher", *more),
                                                 (2,))
            out[f"sparse-pqi{suffix}"] = Cell((*two, *integral, *more), (2,))
    eighty = ("--method", "rtn", "--bits", "2", "--calibration", CALIBRATION, "--nsamples", "80")
    for name, more in {"pqi": integral, "each-sample": (*integral, "--each-sample"),
                       "fisher": ("--significant", "0.5", "--significant-rule", "fisher")}.items():
        out[f"sparse-{name}-80"] = Cell((*eighty, *more), (2,))
    out["sparse-rtn-g32"] = Cell(("--method", "rtn", "--bits", "2", "--group-size", "32"), (2,))
    smaller = ("--group-size", "40")  # as many bits more as 0.5 % of weights beside groups of 64 cost
    gptq = ("--method", "gptq", "--mse", "--act-order", "--calibration", CALIBRATION)
    for bits in (4, 3, 2):
        at = ("--bits", str(bits), "--calibration", CALIBRATION)
        bases = {"rtn": ("--method", "rtn", *at), "gptq": (*gptq, "--bits", str(bits)),
                 "squeezellm": ("--method", "squeezellm", *at)}
        for base, arguments in bases.items():
            if (base, bits) != ("rtn", 2):  # sparse-both
                out[f"sparse-{base}-w{bits}-both"] = Cell((*arguments, *by_twenty), (bits,))
            if base != "squeezellm" or bits == 2:
                out[f"sparse-{base}-w{bits}-pursuit"] = Cell((*arguments, "--significant", "0.5", *pursuit), (bits,))
        out[f"equal-rtn-w{bits}"] = Cell(("--method", "rtn", "--bits", str(bits), *smaller), (bits,))
        out[f"equal-gptq-w{bits}"] = Cell((*bases["gptq"], *smaller), (bits,))
        out[f"squeezellm-w{bits}"] = Cell(bases["squeezellm"], (bits,))
        out[f"sparse-squeezellm-w{bits}-own"] = Cell((*bases["squeezellm"], "--outliers", "0.45", "--outlier-rule",
                                                      "interquartile", "--significant", "0.05", "--significant-rule",
                                                      "information"), (bits,))
        awq = ("--method", "awq", *at)
        out[f"sparse-awq-w{bits}-both"] = Cell((*awq, *by_twenty), (bits,))
        out[f"equal-awq-w{bits}"] = Cell((*awq, *smaller), (bits,))
        tuned = ("--method", "signround", "--widths", str(bits), "--calibration", CALIBRATION)
        out[f"sparse-signround-w{bits}-both"] = Cell((*tuned, *by_twenty), (bits,))
        out[f"equal-signround-w{bits}"] = Cell((*tuned, *smaller), (bits,))
    fisher = ("--significant", "0.5", "--significant-rule", "fisher")
    out["sparse-rtn-w2-fit"] = Cell(("--method", "rtn", "--bits", "2", "--calibration", CALIBRATION, *fisher, *fit),
                                    (2,))
    for name, more in {"outliers": first, "pqi": integral, "fisher": fisher, "fit": (*fisher, *fit),
                       "each-sample": (*integral, "--each-sample"),
                       "rise": ("--significant", "0.5", "--significant-rule", "rise"),
                       "before": (*integral, "--before")}.items():
        out[f"sparse-gptq-w2-{name}"] = Cell((*gptq, "--bits", "2", *more), (2,))
    out["sparse-signround-w2-outliers"] = Cell((*tuned, *first), (2,))
    by_few = (*integral, "--detach-nsamples", "20")
    out["sparse-signround-w2-pqi"] = Cell((*tuned, *by_few), (2,))
    out["sparse-signround-w2-before"] = Cell((*tuned, *by_few, "--before"), (2,))
    out["sparse-rtn-w2-before"] = Cell((*two, *integral, "--before"), (2,))
    out["sparse-signround-w2-pursuit"] = Cell((*tuned, "--significant", "0.5", *pursuit), (2,))
    for seed in (1, 2):
        for name, arguments in (("gptq-w2-pqi", (*gptq, "--bits", "2", *integral)),
                                ("signround-w2-pqi", (*tuned, *by_few)),
                                ("signround-w2-before", (*tuned, *by_few, "--before"))):
            out[f"sparse-{name}-seed{seed}"] = Cell((*arguments, "--seed", str(seed)), (2,))
    out["sparse-parent-rtn"] = Cell(("--method", "rtn", "--calibration", CALIBRATION, *integral), (8, 4, 3, 2))
    staged = ("--method", "signround", *DIVIDED, "--calibration", CALIBRATION)
    out["sparse-parent-staged"] = Cell((*staged, *by_twenty), (8, 4, 3, 2))
    out["sparse-parent-staged-before"] = Cell((*staged, *by_few, "--before"), (8, 4, 3, 2))
    out["demo-sparse"] = Cell(("--method", "rtn", *twenty, *first), (8, 4, 3, 2))  # README's second table
    half = ("--calibration", CALIBRATION, "--significant", "0.5")  # as the tool takes and places them
    for name, base, rule in (("rtn", ("--method", "rtn"), "fisher"),
                             ("nested-gptq", ("--method", "nested-gptq", *WIDTHS, "--mse"), "pqi")):
        out[f"shared-{name}-before"] = Cell((*base, *half), (8, 4, 3, 2))
        out[f"shared-{name}-after"] = Cell((*base, *half, "--significant-rule", rule), (8, 4, 3, 2))
        out[f"shared-{name}-pursuit"] = Cell((*base, *half, *pursuit), (8, 4, 3, 2))
    out["sparse-parent-rtn-outliers"] = Cell(("--method", "rtn", "--calibration", CALIBRATION, *first), (8, 4, 3, 2))
    out["sparse-parent-staged-outliers"] = Cell((*staged, *first), (8, 4, 3, 2))
    return out


def file_cells():
    """Files that llama.cpp runs."""
    out = {}
    for ending, padded in (("", False), ("-padded", True)):
        out[f"llama-cpp{ending}"] = Files(THEIRS, padded=padded)
        for kind in OURS:
            for method in METHODS:
                asked = ("--format", "gguf", "--type", kind, "--method", method)
                if method != "rtn":
                    asked = (*asked, "--calibration", CALIBRATION)
                out[f"{kind}-{method}{ending}"] = Files((kind,), asked, padded)
    return out


def cells():
    every = (8, 7, 6, 5, 4, 3, 2, 1)
    out = {}
    gptq = ("--method", "gptq", "--mse", "--act-order", "--calibration", CALIBRATION)
    learned = ("--calibration", CALIBRATION)
    # one width alone
    for group in (64, 128):
        for bits in (4, 3, 2):
            where = f"w{bits}-g{group}"
            shape = ("--bits", str(bits), "--group-size", str(group))
            out[f"rtn-{where}"] = Cell(("--method", "rtn", *shape), (bits,))
            out[f"mse-{where}"] = Cell(("--method", "mse", *shape), (bits,))
            out[f"gptq-plain-{where}"] = Cell(("--method", "gptq", *shape, *learned), (bits,))
            out[f"gptq-{where}"] = Cell((*gptq, *shape), (bits,))
            nested = ("--widths", str(bits), "--group-size", str(group), *learned)
            out[f"signround-{where}"] = Cell(("--method", "signround", *nested), (bits,))
            out[f"awq-{where}"] = Cell(("--method", "awq", *shape, *learned), (bits,))
            if group == 64 and bits > 2:
                continue
            out[f"efficientqat-{where}"] = Cell(("--method", "efficientqat", *nested), (bits,))
            out[f"qat-{where}"] = Cell(("--method", "qat", *nested), (bits,))
            out[f"layer-wise-{where}"] = Cell(("--method", "signround", "--layer-wise", *nested), (bits,))
            out[f"omniquant-{where}"] = Cell(("--method", "omniquant", *nested, "--iters", "400", "--batch", "4"),
                                             (bits,))
    for bits in (8, 6, 5):  # what one file is held against
        out[f"signround-w{bits}-g64"] = Cell(("--method", "signround", "--widths", str(bits), *learned), (bits,))
    out["efficientqat-blocks-w4-g128"] = Cell((*out["efficientqat-w4-g128"].arguments, "--scale-iters", "0"), (4,))
    out["gptq-balanced-w2-g64"] = Cell((*gptq, "--balance", "--bits", "2"), (2,))
    for bits in (4, 3, 2):  # on the same grid as SignRound
        out[f"nested-rtn-w{bits}-g64"] = Cell(("--method", "signround", "--iters", "0", "--widths", str(bits),
                                               "--nsamples", "8", *learned), (bits,))
        inside = ("--method", "nested-gptq", "--mse", "--widths", str(bits), *learned)
        out[f"nested-gptq-w{bits}-g64"] = Cell(inside, (bits,))
        out[f"nested-gptq-own-w{bits}-g64"] = Cell((*inside, "--own-range"), (bits,))
    out["layer-wise-from-gptq-w2-g64"] = Cell((*out["layer-wise-w2-g64"].arguments, "--from-gptq", "--mse"), (2,))
    for seed in (1, 2):
        for method in ("gptq", "omniquant", "qat", "efficientqat", "layer-wise", "signround"):
            base = out[f"{method}-w2-g64"]
            out[f"{method}-w2-g64-seed{seed}"] = Cell((*base.arguments, "--seed", str(seed)), base.widths)
    # one parent
    out["parent-rtn"] = Cell(("--method", "rtn"), every)
    out["parent-rtn-round_clamp"] = Cell(("--method", "rtn", "--slice", "round_clamp"), every)
    out["parent-rtn-extra_precision"] = Cell(("--method", "rtn", "--slice", "extra_precision"), every)
    out["parent-w8"] = Cell(("--method", "signround", "--widths", "8", *learned), every)
    out["parent-w2-nearest"] = Cell(("--method", "signround", "--widths", "2", *learned), every)
    for seed in (0, 1, 2):
        suffix = f"-seed{seed}" if seed else ""
        more = ("--seed", str(seed)) if seed else ()
        out[f"parent-overlap{suffix}"] = Cell(("--method", "signround", *learned, *more), every)
        out[f"parent-staged{suffix}"] = Cell(("--method", "signround", *DIVIDED, *learned, *more), every)
    out["parent-nested-gptq"] = Cell(("--method", "nested-gptq", *WIDTHS, "--mse", *learned), every)
    out["parent-staged-248"] = Cell(("--method", "signround", *divided("--widths", "2,4,8"), *learned), every)
    for widths in ("8,4,2", "8,4,3"):
        name = widths.replace(",", "")
        out[f"parent-matgptq-{name}"] = Cell(("--method", "matgptq", "--widths", widths, *learned), every)
    out["parent-staged-scales"] = Cell(("--method", "signround", *DIVIDED, *learned, "--scale-iters", "30"), every)
    joint = ("--method", "signround", "--widths", "8,4,2", "--lambda")
    for rule in ("round_clamp", "extra_precision"):
        out[f"parent-joint-{rule}"] = Cell((*joint, "0.1,0.1,1", "--slice", rule, *learned), every)
    out["parent-joint-qat"] = Cell(("--method", "qat", "--widths", "8,4,2", "--lambda", "0.1,0.1,1", *learned), every)
    out["parent-joint-omniquant"] = Cell(("--method", "omniquant", "--widths", "8,4,2", "--lambda", "0.1,0.1,1",
                                          *learned, "--batch", "4"), every)
    for name, lambdas in {"small": "0.1,0.1,1", "even": "1,1,1"}.items():
        out[f"parent-joint-{name}"] = Cell((*joint, lambdas, *learned), every)
    for seed in (1, 2):
        for name in ("joint-small", "joint-omniquant", "joint-qat", "matgptq-842"):
            base = out[f"parent-{name}"]
            out[f"parent-{name}-seed{seed}"] = Cell((*base.arguments, "--seed", str(seed)), (8, 4, 2))
    for seed in (0, 1, 2):
        suffix = f"-seed{seed}" if seed else ""
        out[f"parent-joint-refined{suffix}"] = Cell(out[f"parent-staged{suffix}"].arguments, every,
                                                    out[f"parent-joint-small{suffix}"].arguments)
    out["parent-joint-single"] = Cell(("--method", "signround", "--widths", "2", "--lambda", "1", *learned), every)
    # a width for each layer
    for name, widths in {"uniform": (3,) * 6, "pyramid": (2, 3, 4, 4, 3, 2), "hand": (4, 3, 2, 2, 3, 4)}.items():
        out[f"mix-{name}"] = Mix(widths)
    for average in ("2.5", "3", "3.5"):
        asked = ("--text", CALIBRATION, "--widths", "2,3,4,6,8", "--average", average)
        out[f"mix-allocate-{average}"] = Mix(allocate=asked)
        out[f"mix-integral-{average}"] = Mix(allocate=("--integral", MODEL, *asked))
    # what matters
    two = ("--method", "signround", "--widths", "2", *learned)
    for steps in (50, 1000):
        out[f"steps-{steps}"] = Cell((*two, "--iters", str(steps)), (2,))
    out["qat-200"] = Cell((*out["qat-w2-g64"].arguments, "--iters", "200"), (2,))
    for name, option in {"no-clipping": "--no-clipping", "own-range": "--own-range", "keep-best": "--keep-best",
                         "dense-inputs": "--dense-inputs"}.items():
        out[name] = Cell((*two, option), (2,))
    for name, options in SHORT.items():
        out[name] = Cell((*two, "--iters", "50", *options), (2,))
    for reach in REACHES:
        out[f"reach-{reach}"] = Cell((*joint, "0.1,0.1,1", "--reach", reach, "--iters", "60", *learned), (8, 4, 2))
    out["joint-taught"] = Cell((*joint, "0.1,0.1,1", "--teacher", "8", "--iters", "60", *learned), (8, 4, 2))
    out["parent-staged-joint"] = Cell((*joint, "1,1,1", "--joint-iters", "60", "--finer-iters", "60", *learned), every)
    out["activations-tuned"] = Scores()
    out["activations-nearest"] = Scores(("--method", "rtn"))
    out["kept-512"] = Kept(512, KV_BITS)
    out["kept-4096"] = Kept(4096, (16, 8, 4))
    out["kept-4096-yarn"] = Kept(4096, KV_BITS, 8)
    for threads in ("1", "2"):
        out[f"decode-1b-threads-{threads}"] = Speed(("--shape", "1b", "--bits", "8,4,3,2", "--head-bits", "0",
                                                     "--threads", threads, "--activation", ",".join(ACTIVATIONS)))
        out[f"beside-llama-cpp-threads-{threads}"] = Speed(("--shape", "1b", "--bits", "8,6,5,4,3,2", "--threads",
                                                            threads, "--activation", "limbs1,limbs3"), beside=True)
    out["beside-llama-cpp-prompt"] = Speed(("--shape", "1b", "--bits", "8,6,4,3,2", "--threads", "2", "--activation",
                                            "limbs1", "--prompt", "512", "--prompts", "2", "--tokens", "1"),
                                           beside=True)
    return {**out, **sparse_cells(), **file_cells()}
