"""The posts written for the course, their loaders, and the real newsgroups and text8
behind them.

Nothing here reaches beyond 127.0.0.1, and no real post is needed: the complete sets are
made up.
"""

import hashlib
import io
import json
import os
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from test_datasets import closed_port, files_below, folder, md5, no_proxy, serving  # noqa: F401

import make_posts
from scratchml import Vocabulary, datasets, decode_characters, tokenize
from scratchml.datasets import Dataset, strip_post

ROOT = Path(__file__).resolve().parent.parent
SPACE, AUTOS = make_posts.GROUPS
HOST = re.compile(r"^Nntp-Posting-Host: \S+$", re.MULTILINE | re.IGNORECASE)
CONTENT = (ROOT / "data" / "posts.jsonl").read_text(encoding="utf-8")
POSTS = [json.loads(line) for line in CONTENT.splitlines()]
BODIES = [strip_post(post["text"]) for post in POSTS]


def of(group, split=None):
    return [
        (post, body)
        for post, body in zip(POSTS, BODIES, strict=True)
        if post["group"] == group and split in (None, post["split"])
    ]


# --------------------------------------------------------------------------- the corpus


def test_the_script_makes_the_committed_file(tmp_path, capsys):
    for name in ("a", "b"):
        make_posts.main(["--output", str(tmp_path / name)])
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes() == CONTENT.encode()
    assert capsys.readouterr().out.startswith(hashlib.sha256(content).hexdigest())


def test_the_corpus_has_the_promised_size():
    assert 1000 <= len(POSTS) <= 1500
    assert Counter((post["group"], post["split"]) for post in POSTS) == {
        (group, split): n
        for group in (SPACE, AUTOS)
        for split, n in (("train", 500), ("validation", 100), ("test", 150))
    }
    for post, body in zip(POSTS, BODIES, strict=True):
        assert 40 <= len(body.split()) <= 150, post["id"]
        assert len(post["text"].partition("\n\n")[2].split()) <= 150, post["id"]
    assert len({word for body in BODIES for word in tokenize(body)}) >= 1500


def test_no_two_posts_are_alike():
    assert len({" ".join(tokenize(body)) for body in BODIES}) == len(POSTS)
    assert [post["id"] for post in POSTS] == list(range(1, len(POSTS) + 1))


def test_each_group_has_hundreds_of_sentences_of_its_own():
    lines = {}
    for name in ("space", "autos", "shared", "order"):
        lines[name] = [
            line
            for section in make_posts.read_sections(f"{name}.txt").values()
            for line in section
        ]
        assert len(set(lines[name])) == len(lines[name]), name
    assert len(lines["space"]) >= 300 and len(lines["autos"]) >= 300
    assert not set(lines["space"]) & set(lines["autos"])
    assert all(line[-1] in ".?!" for part in lines.values() for line in part)


def test_every_slot_was_filled_and_every_name_is_invented():
    assert not re.search(r"[{}|]", CONTENT.replace('{"id"', "").replace('"}\n', ""))
    hosts = set(re.findall(r"[\w.-]+@([\w.-]+)", CONTENT)) | set(HOST.findall(CONTENT))
    assert hosts and all(re.search(r"\.example(\.org)?$", host) for host in hosts)


def test_posts_look_like_posts():
    for post in POSTS:
        header, _, body = post["text"].partition("\n\n")
        names = [line.partition(": ")[0] for line in header.split("\n")]
        assert names[0] == "From" and {"Subject", "Organization", "Lines"} < set(names)
        assert len(names) == len(set(names))
        assert f"Lines: {body.count(chr(10))}" in header.split(
            "\n"
        )  # the last line ends too
    bodies = [post["text"].partition("\n\n")[2] for post in POSTS]
    assert 0.1 < np.mean([" writes:\n> " in body for body in bodies]) < 0.3
    assert 0.15 < np.mean(["\n-- \n" in body for body in bodies]) < 0.35


def test_the_posting_host_gives_the_group_away():
    for split in (None, *Dataset._fields):
        for group, share in ((SPACE, 0.05), (AUTOS, 0.9)):
            named = [len(HOST.findall(post["text"])) for post, _ in of(group, split)]
            assert max(named) == 1 and abs(np.mean(named) - share) < 0.01, (
                group,
                split,
            )
    assert not any(HOST.search(body) for body in BODIES)
    assert not {"nntp", "dialup", "gateway"} & {
        w for body in BODIES for w in tokenize(body)
    }


def test_nobody_posts_to_one_group_only():
    """Names and hosts must not give the group away as well."""
    sender = Counter((post["text"].split("\n")[0], post["group"]) for post in POSTS)
    for name in {name for name, _ in sender}:
        assert min(sender[name, SPACE], sender[name, AUTOS]) >= 5, name


def shares():
    """{word: (share of posts about space that have it, share about cars)}, of the
    bodies.
    """
    counts = [
        Counter(word for _, body in of(group) for word in set(tokenize(body)))
        for group in (SPACE, AUTOS)
    ]
    return {
        word: tuple(count[word] / 750 for count in counts)
        for word in counts[0] | counts[1]
    }


def test_topical_words_are_shared():
    found = shares()
    for word in "engine launch tank fuel track".split():
        assert min(found[word]) >= 0.015, word
        assert 1 / 3 < found[word][0] / found[word][1] < 3, word


def test_no_single_word_decides():
    """The best rule `has the word or not` is right in less than 62 % of the posts."""
    right = {word: 0.5 + abs(a - b) / 2 for word, (a, b) in shares().items()}
    best = max(right, key=right.get)
    assert right[best] < 0.62, (best, right[best])


def test_twins_have_the_same_words_and_other_groups():
    by_id = {post["id"]: (post, body) for post, body in zip(POSTS, BODIES, strict=True)}
    twins = [(post, body) for post, body in by_id.values() if post["twin"]]
    assert len(twins) == sum(post["kind"] == "order" for post in POSTS)
    for post, body in twins:
        other, other_body = by_id[post["twin"]]
        assert other["twin"] == post["id"] and other["split"] == post["split"]
        assert other["group"] != post["group"]
        assert Counter(tokenize(body)) == Counter(tokenize(other_body)), post["id"]
    for group in (SPACE, AUTOS):
        for split in Dataset._fields:
            kinds = Counter(post["kind"] for post, _ in of(group, split))
            assert kinds == make_posts.PLAN[split]


def test_counting_words_stays_below_its_bound():
    """Of two twins, whoever counts words gets one wrong: at most what is left is
    right.
    """
    train, _, test = datasets.newsgroups(strip_headers=True, full=False)
    vocabulary = Vocabulary(train[0])
    counts = [
        np.stack(
            [
                np.bincount(vocabulary.encode(text), minlength=len(vocabulary)) > 0
                for text in x
            ]
        )
        for x, _ in (train, test)
    ]
    # naive Bayes: the log odds of each word
    odds = np.log([(counts[0][train[1] == label].sum(0) + 1) / 502 for label in (0, 1)])
    right = (counts[1] @ (odds[1] - odds[0]) > 0) == test[1]
    assert 0.75 < right.mean() <= 0.90


def test_held_out_sentences_are_new():
    """Half of the sentences of a held-out post come from a fifth that no training post
    shows.
    """
    cards = [f"Sentence {i}." for i in range(50)]
    kept = {card for i, card in enumerate(cards) if i % 5 != 4}

    def drawn(split):
        sentences = make_posts.Sentences(
            {"": cards}, split, make_posts.random.Random(0)
        )
        return [sentences.draw() for _ in range(100)]

    assert set(drawn("train")) == kept
    for split in ("validation", "test"):
        assert 0.4 < np.mean([card in kept for card in drawn(split)]) < 0.6
    # In the file: no training body has a sentence of the held-out fifth.
    own = [
        line
        for section in make_posts.read_sections("space.txt").values()
        for line in section
    ]
    plain = [line for line in own[4::5] if "{" not in line]
    assert len(plain) > 15
    for split, seen in (("train", 0), ("test", len(plain) // 2)):
        texts = " ".join(" ".join(body.split()) for _, body in of(SPACE, split))
        assert sum(line in texts for line in plain) >= seen
        assert split == "test" or not any(line in texts for line in plain)


def test_everything_says_that_the_posts_were_written_for_the_course():
    readme = " ".join((ROOT / "data" / "README.md").read_text(encoding="utf-8").split())
    assert "| `posts.jsonl` |" in readme and "written for this course" in readme
    assert "written for this course" in make_posts.__doc__
    assert "written for this course" in datasets.newsgroups.__doc__


# --------------------------------------------------------------------------- the loader


def test_embedded_posts_have_the_promised_parts():
    data = datasets.newsgroups(full=False)
    for (x, y), split in zip(data, Dataset._fields, strict=True):
        assert y.dtype == np.int64 and all(isinstance(text, str) for text in x)
        assert sorted(zip(x, y, strict=True)) == sorted(
            (post["text"], label)
            for label, group in enumerate((SPACE, AUTOS))
            for post, _ in of(group, split)
        )
        assert 0.3 < y[: len(y) // 4].mean() < 0.7  # mixed
    assert repr(data) == "Dataset(train=1000, validation=200, test=300 examples)"
    again = datasets.newsgroups(full=False)
    assert all(
        np.array_equal(a, b)
        for one, two in zip(data, again, strict=True)
        for a, b in zip(one, two, strict=True)
    )


def test_stripped_posts_are_the_bodies_in_the_same_order():
    whole, bare = (
        datasets.newsgroups(strip_headers=strip, full=False) for strip in (False, True)
    )
    for (x, y), (x_bare, y_bare) in zip(whole, bare, strict=True):
        assert np.array_equal(y, y_bare) and [strip_post(text) for text in x] == list(
            x_bare
        )


def test_labels_are_places_in_groups():
    one, two = (
        datasets.newsgroups(groups, full=False)
        for groups in ((SPACE, AUTOS), (AUTOS, SPACE))
    )
    label = dict(zip(one.test[0], one.test[1], strict=True))
    assert all(label[text] == 1 - y for text, y in zip(*two.test, strict=True))
    assert set(datasets.newsgroups([AUTOS], full=False).train[1]) == {0}


@pytest.mark.parametrize("groups", [("sci.space", "sci.med"), "sci.space", (), ("",)])
def test_unknown_groups_are_named_beside_the_known_ones(groups):
    with pytest.raises(
        ValueError, match=r"newsgroups expects .*\['rec.autos', 'sci.space'\], got"
    ) as error:
        datasets.newsgroups(groups, full=False)
    assert repr(groups) in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        CONTENT[:1000],
        "{}\n",
        '{"group": "sci.space"\n',
        CONTENT[:300].replace("e", "\0") + "\n",
    ],
)
def test_damaged_posts_are_named(monkeypatch, tmp_path, content):
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"posts.jsonl is missing .*clone"):
        datasets.newsgroups(full=False)
    (tmp_path / "posts.jsonl").write_text(content)
    with pytest.raises(ValueError, match=r"posts.jsonl is missing or damaged .*clone"):
        datasets.newsgroups(full=False)


@pytest.mark.parametrize(
    "text, body",
    [
        ("From: a\nSubject: b\n\nHello.\n\nBye.\n", "Hello.\n\nBye."),
        ("From: a\r\nSubject: b\r\n\r\nHello.\r\nBye.\r\n", "Hello.\nBye."),
        ("From: a\n\nIn article <1> a@b (A) writes:\n> What?\n>\n\nThis.\n", "This."),
        ("From: a\n\nA.B@c.example writes:\n  | What?\n: Why?\nThis.\n", "This."),
        ("From: a\n\nThis is it.\n-- \nA. Name\nMotto\n", "This is it."),
        ("From: a\n\nOne.\n------\nTwo.\n======\nA. Name", "One.\n------\nTwo."),
        (
            "From: a\n\nShe wrote a book: see below.\nHe said no.\n",
            "She wrote a book: see below.\nHe said no.",
        ),
        ("From: a\n\n", ""),
        ("From: a\n\n-- \nonly a signature", ""),
        ("", ""),
    ],
)
def test_strip_post(text, body):
    assert strip_post(text) == body


# ---------------------------------------------------------------------- the real groups

GROUPS = ("sci.space", "comp.os.ms-windows.misc")
UTF8, LATIN1 = "Café à la carte – naïve".encode(), "Café à la carte".encode("latin-1")


def member(group, part, number):
    """A made-up post in the archive's layout: name and content."""
    return (
        f"20news-bydate-{part}/{group}/{number}",
        f"From: a@{group}\nSubject: {part}\n\nNumber {number}.\n".encode(),
    )


def small_set():
    """30 training and 5 test posts of each of two groups, in an order that is not
    numerical.
    """
    files = dict(
        member(group, part, number)
        for group in GROUPS
        for part, numbers in (("train", range(98, 128)), ("test", range(200, 205)))
        for number in numbers
    )
    files[f"20news-bydate-train/{GROUPS[0]}/98"] = b"From: a\n\n" + UTF8
    files[f"20news-bydate-train/{GROUPS[0]}/99"] = b"From: a\n\n" + LATIN1
    return files


def packed(files, **strange):
    """The .tar.gz of these files, and of `strange` members: name -> type or content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {**files, **strange}.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes) and len(content) > 1:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "/etc/passwd"
                tar.addfile(info)
    return buffer.getvalue()


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def offer(monkeypatch, archive, *mirrors):
    monkeypatch.setattr(datasets, "_NEWS_HASH", sha256(archive))
    monkeypatch.setattr(datasets, "_NEWS_URLS", mirrors)


def unpack(files, folder):  # noqa: F811
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def assert_is_small_set(data):
    assert [len(y) for _, y in data] == [54, 6, 10]
    (x, y), (x_held, y_held), (x_test, y_test) = data
    assert np.bincount(y).tolist() == [27, 27] and np.bincount(y_test).tolist() == [
        5,
        5,
    ]
    for label, group in enumerate(GROUPS):
        assert all(
            f"a@{group}" in text or text.startswith("From: a\n")
            for text in x[y == label]
        )
        held = sorted(
            int(re.search(r"Number (\d+)", text)[1]) for text in x_held[y_held == label]
        )
        assert held == [125, 126, 127]  # the latest, by number, not by name
        assert all(
            text.startswith(f"From: a@{group}\nSubject: test")
            for text in x_test[y_test == label]
        )
    assert (
        "From: a\n\n" + UTF8.decode() in x
        and "From: a\n\n" + LATIN1.decode("latin-1") in x
    )


@pytest.mark.parametrize("place", [".", "20news-bydate"])
def test_an_unpacked_set_is_used_as_it_is(monkeypatch, folder, place):  # noqa: F811
    offer(monkeypatch, b"", closed_port())
    unpack(small_set(), folder / place)
    (folder / place / "20news-bydate-train" / GROUPS[0] / ".DS_Store").write_bytes(
        b"no post"
    )
    before = files_below(folder)
    assert_is_small_set(datasets.newsgroups(GROUPS, full=True))
    monkeypatch.setenv("SCRATCHML_FULL", "1")
    bare = datasets.newsgroups(GROUPS, strip_headers=True)
    assert "Number 100." in bare.train[0] and UTF8.decode() in bare.train[0]
    assert files_below(folder) == before
    with pytest.raises(
        ValueError, match=r"\['comp.os.ms-windows.misc', 'sci.space'\], got \('sci"
    ):
        datasets.newsgroups(("sci.space", "rec.autos"))


def test_the_archive_is_downloaded_once_and_never_unpacked(monkeypatch, folder):  # noqa: F811
    archive = packed(small_set())
    with serving({"news": archive}) as (mirror, asked):
        offer(monkeypatch, archive, closed_port(), mirror + "news")
        for _ in range(2):
            assert_is_small_set(datasets.newsgroups(GROUPS, full=True))
        assert asked == ["news"]
    assert files_below(folder) == ["20news-bydate.tar.gz"]


def test_an_archive_that_is_there_is_used(monkeypatch, folder):  # noqa: F811
    archive = packed(small_set())
    offer(monkeypatch, archive)
    unpack({"20news-bydate.tar.gz": archive}, folder)
    assert_is_small_set(datasets.newsgroups(GROUPS, full=True))


@pytest.mark.parametrize(
    "name, content",
    [
        ("../outside", b"evil"),
        ("a/../../outside", b"evil"),
        ("..\\outside", b"evil"),
        ("..", tarfile.DIRTYPE),
        ("a/link", tarfile.SYMTYPE),
        ("a/link", tarfile.LNKTYPE),
        ("a/device", tarfile.CHRTYPE),
        ("a/pipe", tarfile.FIFOTYPE),
    ],
)
def test_unsafe_archives_are_refused(monkeypatch, folder, name, content):  # noqa: F811
    archive = packed(small_set(), **{name: content})
    offer(monkeypatch, archive)
    unpack({"20news-bydate.tar.gz": archive}, folder)
    with pytest.raises(
        ValueError, match=r"tar.gz is refused: .* leads elsewhere"
    ) as error:
        datasets.newsgroups(GROUPS, full=True)
    assert repr(name) in str(error.value)
    assert files_below(folder.parent) == ["20news-bydate.tar.gz"]


@pytest.mark.parametrize("name", ["/outside", "\\outside", "C:\\outside", "README"])
def test_other_files_of_an_archive_are_left_alone(monkeypatch, folder, name):  # noqa: F811
    archive = packed(small_set(), **{name: b"no post"})
    offer(monkeypatch, archive)
    unpack({"20news-bydate.tar.gz": archive}, folder)
    assert_is_small_set(datasets.newsgroups(GROUPS, full=True))
    assert files_below(folder.parent) == ["20news-bydate.tar.gz"]


@pytest.mark.parametrize("keep", [5, 100, 0.5, 0.9])
def test_truncated_archives_are_damaged(monkeypatch, folder, keep):  # noqa: F811
    whole = packed(small_set())
    short = whole[: int(keep * len(whole)) if keep < 1 else keep]
    unpack({"20news-bydate.tar.gz": short}, folder)
    offer(monkeypatch, whole)
    with pytest.raises(
        ValueError, match=r"tar.gz is damaged: expected sha256 .*Delete it"
    ):
        datasets.newsgroups(GROUPS, full=True)
    assert files_below(folder) == ["20news-bydate.tar.gz"]


def test_without_a_network_the_error_says_what_to_do(monkeypatch, folder):  # noqa: F811
    offer(monkeypatch, b"x", closed_port() + "news")
    monkeypatch.setattr(datasets, "_TEXT8_URLS", [closed_port() + "text8"])
    for load, name in (
        (datasets.newsgroups, "20news-bydate.tar.gz"),
        (datasets.text8, "text8.zip"),
    ):
        with pytest.raises(ConnectionError) as error:
            load(full=True)
        message = str(error.value)
        assert message.startswith(f"{folder / name} is missing. Tried to download it:")
        assert "SCRATCHML_DATA" in message and "pass full=False" in message
    assert files_below(folder) == []


def test_folder_that_cannot_be_written(monkeypatch, tmp_path):
    archive = packed(small_set())
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SCRATCHML_DATA", str(tmp_path / "file"))
    with serving({"news": archive}) as (mirror, _):
        offer(monkeypatch, archive, mirror + "news")
        with pytest.raises(
            ConnectionError, match=r"is missing.*\n.*Error: .*\n.*SCRATCHML_DATA"
        ):
            datasets.newsgroups(GROUPS, full=True)


# -------------------------------------------------------------------------------- text8


def zipped(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("text8", text)
    return buffer.getvalue()


def test_complete_text8_is_unpacked_once_and_mapped(monkeypatch, folder):  # noqa: F811
    rng = np.random.default_rng(0)
    expected = rng.integers(0, 27, 2000).astype(np.uint8)
    archive = zipped(decode_characters(expected))
    with serving({"text8.zip": archive}) as (mirror, asked):
        monkeypatch.setattr(datasets, "_TEXT8_URLS", [mirror + "text8.zip"])
        monkeypatch.setattr(datasets, "_TEXT8_HASH", md5(archive))
        for _ in range(2):
            data = datasets.text8(full=True)
        assert asked == ["text8.zip"]
    assert files_below(folder) == ["text8.ids", "text8.zip"]
    assert [len(part) for part in data] == [1800, 100, 100]
    assert np.array_equal(np.concatenate(data), expected)
    for part in data:
        assert isinstance(part, np.memmap) and part.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 1


def test_damaged_text8_is_named(monkeypatch, folder):  # noqa: F811
    unpack({"text8.zip": zipped("some text")[:-5]}, folder)
    with pytest.raises(ValueError, match=r"text8.zip is damaged: expected md5 3bea"):
        datasets.text8(full=True)
    assert files_below(folder) == ["text8.zip"]


def test_checksums_and_mirrors_are_the_known_ones():
    assert datasets._NEWS_HASH == (
        "sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610"
    )
    assert datasets._TEXT8_HASH == "md5:3bea1919949baf155f99411df5fada7e"
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for known in (datasets._NEWS_HASH, datasets._TEXT8_HASH):
        assert known.partition(":")[2] in readme
    assert all(url in readme for url in (*datasets._NEWS_URLS, *datasets._TEXT8_URLS))


@pytest.mark.skipif("SCRATCHML_DATA" not in os.environ, reason="needs real posts")
def test_real_posts_where_they_are():
    if not list(
        Path(os.environ["SCRATCHML_DATA"]).glob("**/20news-bydate-train/sci.space")
    ):
        pytest.skip("no real posts under SCRATCHML_DATA")
    data = datasets.newsgroups(full=True)
    assert [len(y) for _, y in data] == [1069, 118, 790]
    assert np.mean([text.startswith("From: ") for text in data.test[0]]) > 0.95
    stripped = datasets.newsgroups(strip_headers=True, full=True)
    assert (
        np.mean([text.startswith("From: ") for text in stripped.test[0]]) < 0.01
    )  # forwarded
