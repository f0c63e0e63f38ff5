"""The networks trained on real posts: the file, its words, and what the networks say.

No test shows or needs a real post, but for those that check the stored accuracies; they
run where SCRATCHML_DATA has the posts.
"""

import hashlib
import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import make_news
from scratchml import (
    accuracy,
    datasets,
    explain_text,
    gradient_check,
    pad,
    predict,
    predict_proba,
)

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "data" / "news.npz"
NETWORKS = datasets.news_networks()
WORDS = {word for network in NETWORKS.values() for word in network.vocabulary.words[2:]}
HOST_LINE = "NNTP-Posting-Host: quill.invalid"
HOST_WORDS = {"NNTP", "Posting", "Host"}
RELIGION = "atheism-christian"
SPACE = "space-autos"

# Written for this course; nobody ever posted them.
HEADER = "From: lee@quill.invalid\nSubject: hello\n"
OWN = {
    "gospel": "We read in the gospel that Christ died for our sins. Pray for me, and "
    "may the grace of the Lord be with you.",
    "choir": "Our church needs a new roof. Would you come to the meeting on Sunday, "
    "and help us to raise the money?",
    "doubt": "What is the evidence for this claim? An argument needs a reason. So far "
    "I have seen none, and I do not believe it.",
    "morals": "Is there an objective morality? I do not see why a moral system needs a "
    "god, and no argument has shown it so far.",
    "launch": "The launch was moved to next week. The orbit is higher than planned, "
    "and the shuttle will carry two satellites.",
    "brakes": "I bought it last summer, with a new engine. Since then the brakes pull "
    "to the left. The dealer says it is the tires.",
}


def post(name, part, host):
    """One of our posts as the networks for whole posts, or for bodies, read it."""
    if part == "body":
        return OWN[name]
    line = HOST_LINE + "\n" if host else ""
    return f"{HEADER}{line}\n{OWN[name]}\n"


def ask(place, texts):
    network = NETWORKS[place]
    ids = [network.vocabulary.encode(text)[: make_news.READ] for text in texts]
    return predict_proba(network.model, ids)


def test_the_file_is_small_and_holds_plain_arrays():
    assert FILE.stat().st_size < 1_500_000
    with zipfile.ZipFile(FILE) as archive:
        assert archive.testzip() is None
    with np.load(FILE, allow_pickle=False) as file:
        kinds = {file[name].dtype.kind for name in file.files}
    assert kinds <= set("fiU")


def test_the_readme_records_its_checksum():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `news.npz` .*\| `([0-9a-f]{64})` \|$", readme, re.MULTILINE)
    if row is None:
        pytest.skip("data/README.md has no row for news.npz yet")
    assert row[1] == hashlib.sha256(FILE.read_bytes()).hexdigest()


def test_there_are_four_places_with_networks_that_fit_their_words():
    places = {(pair, part) for pair in make_news.PAIRS for part in make_news.PARTS}
    assert set(NETWORKS) == places
    for (pair, _), network in NETWORKS.items():
        assert network.groups == make_news.PAIRS[pair]
        ids = pad([network.vocabulary.encode("the car and the moon"), [], [1]])
        assert network.model.forward(ids).shape == (3, 2)
        assert network.bag.params["W"].shape == (len(network.vocabulary), 2)
        assert not network.bag.params["W"][0].any()  # padding says nothing
        assert not any(name.startswith(("RNN/", "bag")) for name in network.measured)


def test_every_word_keeps_its_place_in_the_vocabulary():
    with np.load(FILE, allow_pickle=False) as file:
        for (pair, part), network in NETWORKS.items():
            words = file[f"{pair}/{part}/words"].tolist()
            assert network.vocabulary.words == ["<pad>", "<unk>", *words]


def test_words_are_letters_alone():
    assert 2000 < len(WORDS) < 5000
    for word in WORDS:
        assert make_news.WORD.fullmatch(word), word
    assert not {"bobby", "keith", "o'dwyer"} & WORDS
    assert {"nntp", "posting", "host", "edu", "faith", "orbit", "car"} <= WORDS


@pytest.mark.parametrize("place", NETWORKS)
def test_lime_names_words_of_the_vocabulary(place):
    network = NETWORKS[place]
    words = network.measured["lime/words"].tolist()
    counts = network.measured["lime/counts"]
    assert len(words) == len(counts) >= 5
    assert set(words) <= set(network.vocabulary.words)
    assert (np.diff(counts) <= 0).all() and counts[0] <= make_news.EXPLAINED


@pytest.mark.parametrize("place", NETWORKS)
def test_each_accuracy_has_its_seeds(place):
    measured = NETWORKS[place].measured
    kinds = ["RNN", "bag of words", "1..1-grams", "1..2-grams", "1..3-grams"]
    if place[1] == "whole":
        kinds += [f"RNN, host line {change}" for change in make_news.CHANGES]
    for kind in kinds:
        shares = measured[f"accuracy/{kind}"]
        assert shares.shape == (make_news.SEEDS,)
        assert (shares > 0.25).all() and (shares < 1).all()


def test_the_host_line_decides_where_only_one_group_has_it():
    measured = NETWORKS[RELIGION, "whole"].measured
    one, other = measured["host line"]
    assert one > 0.3 and other < 0.05
    right = {
        name.removeprefix("accuracy/"): shares.mean()
        for name, shares in measured.items()
        if name.startswith("accuracy/")
    }
    assert right["RNN, host line swapped"] < right["RNN"] - 0.1
    one, other = NETWORKS[SPACE, "whole"].measured["host line"]
    assert abs(one - other) < 0.1


@pytest.mark.parametrize(
    ("pair", "part", "name", "host", "low", "high"),
    [
        (RELIGION, "whole", "gospel", False, 0.9, 1),
        (RELIGION, "whole", "gospel", True, 0, 0.5),  # the line outweighs the gospel
        (RELIGION, "whole", "choir", False, 0.9, 1),
        (RELIGION, "whole", "choir", True, 0, 0.3),
        (RELIGION, "whole", "doubt", False, 0.2, 0.7),
        (RELIGION, "whole", "doubt", True, 0, 0.1),
        (RELIGION, "whole", "morals", False, 0, 0.1),
        (RELIGION, "whole", "morals", True, 0, 0.1),
        (RELIGION, "body", "gospel", False, 0.9, 1),
        (RELIGION, "body", "choir", False, 0.9, 1),
        (RELIGION, "body", "doubt", False, 0, 0.3),
        (RELIGION, "body", "morals", False, 0, 0.1),
        (SPACE, "whole", "launch", False, 0, 0.1),
        (SPACE, "whole", "launch", True, 0, 0.1),
        (SPACE, "whole", "brakes", False, 0.9, 1),
        (SPACE, "whole", "brakes", True, 0.9, 1),
        (SPACE, "body", "launch", False, 0, 0.2),
        (SPACE, "body", "brakes", False, 0.8, 1),
    ],
)
def test_answers_on_our_own_posts(pair, part, name, host, low, high):
    assert low <= ask((pair, part), [post(name, part, host)])[0, 1] <= high


@pytest.mark.parametrize("name", ["gospel", "choir"])
def test_lime_finds_the_host_line_in_our_own_posts(name):
    def told(host):
        return explain_text(
            lambda texts: ask((RELIGION, "whole"), texts),
            post(name, "whole", host),
            labels=[1],
            n_samples=1000,
            progress=False,
        )

    heaviest = {evidence.name: evidence.weight for evidence in told(True).top(k=5)}
    assert HOST_WORDS <= set(heaviest)
    assert max(heaviest[word] for word in HOST_WORDS) < -0.1
    assert told(True).r2[1] > 0.5
    assert not HOST_WORDS & {evidence.name for evidence in told(False).top(k=5)}


def test_a_damaged_file_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    says = r"news.npz is missing or damaged \(.*\): clone"
    with pytest.raises(ValueError, match=says):
        datasets.news_networks()
    whole = FILE.read_bytes()
    lacking = io.BytesIO()
    np.savez(lacking, **{"space-autos/whole/words": np.array(["car"])})
    for damaged in (whole[:-1000], b"", b"no zip", lacking.getvalue()):
        (tmp_path / "news.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=says):
            datasets.news_networks()


# --------------------------------------------------------------------------- the maker


def small_post(name, user, text, *, header=""):
    return f"From: {user}@host.edu ({name})\n{header}Lines: 1\n\n{text}\n"


def small_data(posts):
    y = np.zeros(len(posts), int)
    part = np.array(posts, object), y
    empty = np.array([], object), y[:0]
    return datasets.Dataset(part, empty, empty)


def test_people_are_found_in_headers_addresses_and_attributions():
    text = (
        "From: Ann B. Lee <alee@mail.example.edu>\nReply-To: ann.lee@x.edu\n\n"
        "In article <1x@y.edu>, kim3@z.edu (Kim O'Day) writes:\n> hello there\n"
        "John Doe wrote:\nwrite to max@home.example\n"
    )
    found = make_news.people(text)
    assert {"ann", "b", "lee", "alee", "kim", "o'day", "john", "doe", "max"} <= found
    assert not {"edu", "mail", "example", "hello", "write", "y"} & found


def test_only_what_an_author_wrote_counts():
    text = small_post(
        "Ann Lee", "alee", "> quoted\nmine, see joe@x.edu\n-- \nsigned", header=""
    )
    assert make_news.own_text(text, "body").split() == ["mine,", "see"]
    whole = make_news.own_text(text, "whole")
    assert "Lines" in whole and "edu" in whole
    assert "alee" not in whole and "joe" not in whole and "signed" not in whole


def test_words_need_posts_authors_and_no_bearer():
    posts = [
        small_post(f"Rex{chr(97 + i % 6)} Smith", f"u{i % 6}", f"tank Smith {word}")
        for i in range(12)
        for word in ["rare" if i < 9 else "x9"]
    ]
    posts += [small_post("Sam", "sam", "alone") for _ in range(12)]
    data = small_data(posts)
    names = make_news.Names([data])
    assert "smith" in names and "smith's" in names and "tank" not in names
    words = make_news.shared_words(data.train[0], names, "body")
    assert words == ["tank"]  # "rare" has 9 posts, "alone" one author


def test_ordinary_words_stay_though_somebody_bears_them():
    posts = [small_post("Will Young", "will", "hello")]
    posts += [
        small_post(f"A{chr(97 + i)}", f"v{chr(97 + i)}", "it will be young")
        for i in range(12)
    ]
    names = make_news.Names([small_data(posts)])
    assert "will" not in names and "young" not in names and "aa" in names


def test_the_bag_passes_the_gradient_check():
    rng = np.random.default_rng(0)
    ids = np.array([[2, 3, 0], [3, 3, 4]])
    gradient_check(make_news.Bag(5, 2, rng=rng), ids, rng=rng)


def test_ngrams_are_numbered_where_two_texts_share_them():
    ngrams = make_news.Ngrams(["a b c", "a b d", "b a"], 2)
    assert set(ngrams.ids) == {"a", "b", "a b"}
    assert ngrams.encode("a b a b") == [2, 3, 4] and ngrams.encode("c d") == []
    assert len(ngrams) == 5


@pytest.mark.parametrize("own", ["", "NNTP-Posting-Host: a.edu\n"])
def test_the_host_line_comes_and_goes(own):
    text = f"From: a\n{own}Lines: 1\n\nNNTP-Posting-Host: quoted\n"
    bare = "From: a\nLines: 1\n\nNNTP-Posting-Host: quoted\n"
    assert bool(make_news.host_line(text)) == bool(own)
    assert make_news.remove_host(text) == bare
    added = make_news.add_host(text)
    assert added == (
        text if own else bare.replace("\n\n", f"\n{make_news.HOST_LINE}\n\n", 1)
    )
    assert make_news.swap_host(text) == (bare if own else added)


def test_one_thread_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with pytest.raises(SystemExit, match="OPENBLAS_NUM_THREADS=1"):
        make_news.main(["--output", str(tmp_path / "news.npz")])


@pytest.mark.skipif("SCRATCHML_DATA" not in os.environ, reason="needs real posts")
@pytest.mark.parametrize("place", NETWORKS)
def test_stored_accuracies_come_out_again(place):
    folder = Path(os.environ["SCRATCHML_DATA"])
    if not list(folder.glob("**/20news-bydate-test/sci.space")):
        pytest.skip("no real posts under SCRATCHML_DATA")
    network = NETWORKS[place]
    bare = place[1] == "body"
    x, y = datasets.newsgroups(network.groups, strip_headers=bare, full=True).test
    ids = pad([network.vocabulary.encode(text) for text in x], make_news.READ)
    counts = np.stack([np.bincount(r, minlength=len(network.vocabulary)) for r in ids])
    scores = {
        "RNN": predict(network.model, ids),
        "bag of words": predict(network.bag, counts.astype(np.float32)),
    }
    for kind, found in scores.items():
        stored = network.measured[f"stored accuracy/{kind}"]
        assert abs(accuracy(found, y) - stored) <= 1 / len(y), kind  # one close call
