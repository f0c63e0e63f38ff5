"""Write all files, or those that are named: python -m references rnn cnn."""

import sys

from references import FOLDER, SUBJECTS, compute, save, versions


def main(subjects):
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    for subject in subjects or SUBJECTS:
        with threadpool_limits(1):  # with two, the last digits come out otherwise
            arrays = compute(subject) | {"versions": versions()}
        size = save(FOLDER / f"{subject}.npz", arrays)
        print(f"data/references/{subject}.npz: {len(arrays)} arrays, {size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
