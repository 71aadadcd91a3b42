#!/usr/bin/env python3
"""Parses the example of every op and attribute of a dialect.

    llvm-tblgen --dump-json … DfgOps.td | op-examples.py --opt=orrery-opt \
        --context=context.mlir --tests=test/dialects/dfg dfg

An op's description holds `Example: `…`` on one or more lines, or a fenced
block; an attribute's holds `#dialect.…` in backquotes. An op without an example
and an example that does not parse or verify are errors. Values that an example
uses without defining them become arguments, of the types that it asks for.
Symbols that it uses without declaring them come from the context file, which
has one declaration a line. A numbered constraint (C2) of an op needs a test: a
symbol such as `@all_slice_c2` in an `-invalid.mlir` file of the tests' folder.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys


def example_of(description):
    """The example in a description, or None."""
    fenced = re.search(r"Example[^`\n]*:\s*```\n(.*?)```", description, re.S)
    if fenced:
        return fenced[1]
    inline = re.search(r"Example[^`\n]*: `([^`]+)`", description)
    return inline[1] if inline else None


def undefined_values(example):
    """Names of values that the example uses but does not define."""
    defined = set()
    for results in re.findall(r"^\s*((?:%\w+(?:, )?)+) = ", example, re.M):
        defined.update(re.findall(r"%\w+", results))
    for arguments in re.findall(r"^\s*\^\w+\((.*)\):", example, re.M):
        defined.update(re.findall(r"(%\w+):", arguments))
    names = dict.fromkeys(re.findall(r"%\w+", example))
    return [name for name in names if name not in defined]


def context_for(example, context):
    """Lines of the context whose symbols the example uses, but not declares."""
    lines = []
    for line in context:
        symbol = re.search(r"@\w+", line)[0]
        used = re.search(re.escape(symbol) + r"\b", example)
        if used and f"{line.split()[0]} {symbol} :" not in example:
            lines += context_for(line.split(" : ", 1)[1], context) + [line]
    return list(dict.fromkeys(lines))


def parse(text, opt):
    """Error text of the opt tool; empty when it accepts `text`."""
    run = subprocess.run([opt, "-"], input=text, capture_output=True, text=True,
                         timeout=60)
    return "" if run.returncode == 0 else run.stderr


def check_op(example, is_symbol, context, opt):
    """Errors of an op's example; empty when it holds."""
    types = dict.fromkeys(undefined_values(example), "tensor<f32>")
    head = "module attributes {dfg.mesh = #dfg.mesh<pp = 2, dp = 1, tp = 2>} {"
    declarations = "\n".join(context_for(example, context))
    errors = ""
    for _ in range(len(types) + 1):
        arguments = ", ".join(f"{n}: {t}" for n, t in types.items())
        body = example if is_symbol else (
            f"func.func @example({arguments}) {{\n{example}\nreturn\n}}")
        errors = parse(f"{head}\n{declarations}\n{body}\n}}\n", opt)
        wanted = re.search(r"use of value '(%\w+)' expects different type than "
                           r"prior uses: '(.*?)' vs", errors)
        if not wanted or types.get(wanted[1]) == wanted[2]:
            return errors
        types[wanted[1]] = wanted[2]
    return errors


def untested_constraints(record, tests):
    """Errors for constraints of an op's description that no test names."""
    numbers = re.findall(r"\(C(\d+)\)", record["description"])
    missing = [number for number in numbers
               if not re.search(rf"@{record['opName']}_c{number}(_|\b)", tests)]
    return "".join(f"no test @{record['opName']}_c{number}\n"
                   for number in missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--opt", required=True, help="tool that parses IR")
    parser.add_argument("--context", help="file of declarations")
    parser.add_argument("--tests", help="folder of -invalid.mlir files")
    parser.add_argument("dialect", help="dialect whose examples are parsed")
    options = parser.parse_args()
    context = []
    if options.context:
        with open(options.context) as file:
            context = [line for line in file
                       if line.strip() and not line.startswith("//")]
    tests = ""
    for path in glob.glob(os.path.join(options.tests or "", "*-invalid.mlir")):
        with open(path) as file:
            tests += file.read()
    records = json.load(sys.stdin)
    instances = records["!instanceof"]
    failures = examples = 0

    def report(name, errors):
        nonlocal failures, examples
        examples += 1
        if errors:
            failures += 1
            print(f"{name}: {errors}", file=sys.stderr)

    for name in instances["Op"]:
        record = records[name]
        if record["opDialect"]["def"].lower() != options.dialect + "_dialect":
            continue
        example = example_of(record["description"])
        is_symbol = any(trait["def"].startswith("Symbol") and "User" not in
                        trait["def"] for trait in record["traits"])
        errors = "has no example"
        if example:
            errors = check_op(example, is_symbol, context, options.opt)
        if options.tests:
            errors += untested_constraints(record, tests)
        report(f"{options.dialect}.{record['opName']}", errors)
    for name in instances["AttrDef"]:
        record = records[name]
        if record["dialect"]["def"].lower() != options.dialect + "_dialect":
            continue
        for text in re.findall(r"`(#[^`]+)`", record["description"] or ""):
            report(f"#{options.dialect}.{record['mnemonic']}",
                   parse(f"module attributes {{dfg.example = {text}}} {{}}",
                         options.opt))
    print(f"{examples} examples, {failures} wrong")
    return 1 if failures or not examples else 0


sys.exit(main())
