"""Measure how far our numbers are from those of others, and write docs/results/parity.md.

    make parity              (or: python tools/parity_table.py, where PyTorch is installed)

Every case of tools/references is measured anew: the peer computes, ours computes, and
the row says the largest difference of any number of an array, in parts of the largest
number of that array. A row above its bound is an error.
"""

import references
from course import ROOT, write
from links import with_block

HEAD = """\
| feature | peer | largest relative difference | bound |
|---|---|---|---|"""


def rows():
    """{(row, peer, bound): the largest difference of all its cases}, in their order."""
    worst = {}
    for subject in references.SUBJECTS:
        given = references.inputs(subject)
        for case in references.cases(subject):
            if case.row:
                key = (case.row, case.peer, case.bound)
                found = measured(case, given[case.inputs])
                worst[key] = max(worst.get(key, 0), found)
    return worst


def measured(case, given):
    return references.difference(case.ours(given), references.theirs(case, given))


def table(worst):
    lines = [
        f"| {text} | {peer} | {f'{found:.1e}' if found else '0'} | {bound:.0e} |"
        for (text, peer, bound), found in worst.items()
    ]
    largest = max(worst.values())
    summary = (
        f"{len(lines)} comparisons; the largest difference of all is {largest:.1e}"
    )
    return "\n".join([f"**{summary}.**", "", HEAD, *lines])


def main():
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):
        worst = rows()
    text = table(worst)
    print(text)
    late = [row for (row, _, bound), found in worst.items() if not found <= bound]
    if late:
        raise SystemExit(f"outside their bounds: {late}")
    page = ROOT / "docs" / "results" / "parity.md"
    old = page.read_text(encoding="utf-8")
    write(page, with_block(old, "parity", text, page.name))


if __name__ == "__main__":
    main()
