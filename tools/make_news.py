"""Make data/news.npz: networks trained on real newsgroup posts, with their results.

Two pairs of the 20 newsgroups, each on whole posts and on their bodies: an RNN, a bag
of words, and what was measured on the official test posts. No text of a post goes into
the file, and no word that is not shared: see `shared_words`. The posts are found, or
fetched, where SCRATCHML_DATA says.

    OPENBLAS_NUM_THREADS=1 python tools/make_news.py

With one thread the same posts give the same file on one machine, byte for byte. Another
BLAS may round last digits otherwise.
"""

import argparse
import hashlib
import os
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from make_mnist import save
from scratchml import (
    L2,
    Adam,
    CrossEntropyLoss,
    Embedding,
    Layer,
    Schedule,
    TextClassifier,
    Vocabulary,
    accuracy,
    cosine,
    datasets,
    explain_text,
    fit,
    pad,
    predict,
    predict_proba,
    tokenize,
)
from scratchml.datasets import strip_post
from scratchml.text import UNKNOWN

PAIRS = {
    "space-autos": ("sci.space", "rec.autos"),
    "atheism-christian": ("alt.atheism", "soc.religion.christian"),
}
PARTS = ("whole", "body")
READ = 150  # words of each post
SEEDS = 3
STRENGTHS = (1e-5, 1e-4, 1e-3)  # of the L2 penalty, chosen on validation
SIZES = {"embedding": 16, "hidden": 32}

# Invented, of words that stand in most lines of this kind.
HOST_LINE = "NNTP-Posting-Host: dialup-36.example.edu"
EXPLAINED = 24  # test posts of each pair and part
TOP = 5  # words of each explanation

# -------------------------------------------------------------------------- vocabulary

LEAST_POSTS = 10
LEAST_AUTHORS = 5
LONGEST = 16  # letters; what is longer is hardly a word

# Ends of host names say a kind of place, never a person.
DOMAINS = {"com", "edu", "gov", "mil", "net", "org"}
# First names that stand only in signatures, seen when the list was read by eye.
SEEN = {"bobby"}

HEADS = (
    "From|Reply-To|Sender|Originator|Original-Sender|X-Sender|X-X-From|Cc|Return-Path"
)
PERSON_LINE = re.compile(rf"^(?:{HEADS}):(.*)$", re.MULTILINE | re.IGNORECASE)
ATTRIBUTION = re.compile(
    r"\(([^()\n]*)\)>?\s*(?:writes|wrote|says)"
    r"|((?:[A-Z][\w.'-]*\s+)+)(?:<[^>\n]*>\s*)?(?:writes|wrote)"
)
USER = re.compile(r"[\w.+-]+(?=(?:%[\w.-]+)*@)")
IN_REPLY = re.compile(r"^In-Reply-To:.*(?:\n[ \t].*)*", re.MULTILINE | re.IGNORECASE)
WORD = re.compile(rf"(?=.{{1,{LONGEST}}}$)[a-z]+(?:'[a-z]+)?")


def author(text):
    """The address in the From line of a post, or the whole line."""
    line = re.search(r"^From:(.*)$", text, re.MULTILINE | re.IGNORECASE)
    line = line[1].strip().lower() if line else ""
    address = re.search(r'[^\s<>()"]+@[^\s<>()"]+', line)
    return address[0] if address else line


def people(text):
    """Each word in the names and user ids of sender and quoted authors: a set."""
    header, _, body = text.partition("\n\n")
    lines = PERSON_LINE.findall(header)
    lines += [before or after for before, after in ATTRIBUTION.findall(body)]
    lines = [re.sub(r"[%@]\S*|\S*!", " ", line) for line in lines]  # hosts are no names
    lines += USER.findall(re.sub(r"<[^>]*>", " ", body))
    joined = " ".join(lines).lower()
    return {*tokenize(joined), *re.findall("[a-z]+", joined)}


def own_text(text, part):
    """What the author of a post wrote: no quotes, signature, user ids or addresses."""
    body = re.sub(r"\S+@\S+|<\S+>", " ", strip_post(text))
    if part == "body":
        return body
    header = IN_REPLY.sub("", text.partition("\n\n")[0])
    return re.sub(r'[^\s<>()"]+@', " ", header) + "\n\n" + body


class Names:
    """Which words name people? Words that somebody bears and that are not ordinary.

    `data` are the data sets of all pairs. Names are looked for in all their parts, so
    that nobody is missed; how a word is used is counted in the training posts.
    """

    def __init__(self, data):
        self.bearers = defaultdict(set)
        self.users = defaultdict(set)
        self.used = Counter()
        self.used_small = Counter()
        for dataset in data:
            for texts, _ in dataset:
                for text in texts:
                    self._add_bearer(text)
            for text in dataset.train[0]:
                self._add_user(text)

    def _add_bearer(self, text):
        for word in people(text):
            self.bearers[word].add(author(text))

    def _add_user(self, text):
        for word in re.findall(r"[A-Za-z]+(?:'[a-z]+)?", own_text(text, "body")):
            self.users[word.lower()].add(author(text))
            self.used[word.lower()] += 1
            self.used_small[word] += word.islower()

    def ordinary(self, word):
        """Is a word that somebody bears an ordinary one all the same?

        Either ten authors use it, twice as many as bear it, and write it small in four
        cases of five; or 25 authors use it, five times as many as bear it.
        """
        users = len(self.users[word])
        bearers = len(self.bearers[word])
        small = self.used_small[word] >= 0.8 * self.used[word]
        by_spelling = users >= 10 and users >= 2 * bearers and small
        return by_spelling or (users >= 25 and users >= 5 * bearers)

    def __contains__(self, word):
        stem = word.removesuffix("'s")
        if stem in SEEN:
            return True
        if stem in DOMAINS:
            return False
        return any(w in self.bearers and not self.ordinary(w) for w in (word, stem))


def shared_words(texts, names, part):
    """The words that ten posts of five authors share, of letters alone, and no names.

    Only what an author wrote counts, so no quoted, signed or addressed word slips in.
    """
    posts = Counter()
    authors = defaultdict(set)
    for text in texts:
        for word in set(tokenize(own_text(text, part))):
            posts[word] += 1
            authors[word].add(author(text))
    shared = [word for word in posts if posts[word] >= LEAST_POSTS]
    shared = [word for word in shared if len(authors[word]) >= LEAST_AUTHORS]
    return sorted(w for w in shared if WORD.fullmatch(w) and w not in names)


# ---------------------------------------------------------------------------- networks


class Bag(Layer):
    """Scores as a sum over the ids of a text, whatever their order: `sum_t W[ids_t]`.

    On counts this is `Linear` without a bias; rows need not be spelled out.
    """

    def __init__(self, n, classes, *, rng):
        self.embedding = Embedding(n, classes, rng=rng, padding=0, scale=0.01)

    def forward(self, ids):
        return self._keep(self.embedding.forward(ids).sum(axis=1), ids.shape)

    def backward(self, dy):
        shape = self._kept(dy)
        self.embedding.backward(np.repeat(dy[:, None], shape[1], axis=1))


class Ngrams:
    """Numbers all n-grams up to `longest` that stand in two training posts or more."""

    def __init__(self, texts, longest):
        self.longest = longest
        posts = Counter()
        for text in texts:
            posts.update(self._of(text))
        often = sorted(ngram for ngram in posts if posts[ngram] >= 2)
        self.ids = {ngram: i for i, ngram in enumerate(often, start=2)}

    def _of(self, text):
        words = tokenize(text)[:READ]
        starts = range(1, self.longest + 1)
        return {" ".join(row) for n in starts for row in _windows(words, n)}

    def encode(self, text):
        return sorted(self.ids[ngram] for ngram in self._of(text) if ngram in self.ids)

    def __len__(self):
        return len(self.ids) + 2


def _windows(words, n):
    return zip(*(words[i:] for i in range(n)), strict=False)


class NewsTask:
    """One pair of groups on one part of the posts, with its vocabulary."""

    def __init__(self, pair, part, names):
        self.pair = pair
        self.part = part
        groups = PAIRS[pair]
        self.posts = datasets.newsgroups(groups, full=True)
        self.texts = self.posts
        if part == "body":
            self.texts = datasets.newsgroups(groups, strip_headers=True, full=True)
        self.words = shared_words(self.posts.train[0], names, part)
        # Each word is a text of its own here: the alphabetical order stays.
        vocabulary = Vocabulary(self.words)
        self.vocabulary = vocabulary
        self.encoders = {"RNN": vocabulary, "bag of words": vocabulary}
        for n in (1, 2, 3):
            self.encoders[f"1..{n}-grams"] = Ngrams(self.texts.train[0], n)

    def numbers(self, texts, kind):
        """The ids `(N, T)` of texts as this kind of model reads them."""
        encode = self.encoders[kind].encode
        longest = None if "grams" in kind else READ
        return pad([encode(text) for text in texts], longest)

    def probabilities(self, model, texts):
        encode = self.vocabulary.encode
        return predict_proba(model, [encode(text)[:READ] for text in texts])

    def train(self, kind, ids, seed, strength):
        """Every kind of model is trained alike; `strength` is that of its penalty."""
        rng = np.random.default_rng(seed)
        n = len(self.encoders[kind])
        if kind == "RNN":
            model = TextClassifier(n, 2, cell="RNN", rng=rng, **SIZES)
        else:
            model = Bag(n, 2, rng=rng)
        fit(
            model,
            CrossEntropyLoss(),
            Adam(0.003),
            (ids, self.texts.train[1]),
            epochs=25,
            batch_size=32,
            rng=rng,
            callbacks=[Schedule(cosine(0.003))],
            penalty=L2(strength),
            clip_norm=1,
            augment=hide_words,
        )
        return model

    def train_seeds(self, kind):
        """One model a seed, with the strength of least validation loss for the first.

        Returns the strength and the models.
        """
        ids = self.numbers(self.texts.train[0], kind)
        held_out = self.numbers(self.texts.validation[0], kind)
        models = {}
        losses = {}
        for strength in STRENGTHS:
            models[strength] = self.train(kind, ids, 0, strength)
            scores = predict(models[strength], held_out)
            y = self.texts.validation[1]
            losses[strength] = CrossEntropyLoss().forward(scores, y)
        best = min(losses, key=losses.get)
        others = [self.train(kind, ids, seed, best) for seed in range(1, SEEDS)]
        return best, [models[best], *others]

    def right(self, model, kind, texts=None):
        """The share of test posts that a model gets right."""
        x, y = self.texts.test
        x = x if texts is None else texts
        return accuracy(predict(model, self.numbers(x, kind)), y)


def hide_words(ids, rng):
    """Let one word in five be unknown, so that no model clings to a single one."""
    return np.where((ids > 0) & (rng.random(ids.shape) < 0.2), UNKNOWN, ids)


def as_stored(model):
    """The same model with its weights rounded to the 16 bits of the file."""
    for p in model.parameters().values():
        p[...] = p.astype(np.float16)
    return model


# ------------------------------------------------------------------------ measurements


def host_line(text):
    """The line of the header that says from which host a post was sent, or ""."""
    header = text.partition("\n\n")[0].split("\n")
    hosts = (line for line in header if line.lower().startswith("nntp-posting-host:"))
    return next(hosts, "")


def remove_host(text):
    line = host_line(text)
    return text.replace(line + "\n", "", 1) if line else text


def add_host(text):
    """The post with our line at the end of its header, unless it has one."""
    if host_line(text):
        return text
    header, gap, body = text.partition("\n\n")
    return f"{header}\n{HOST_LINE}{gap}{body}"


def swap_host(text):
    return remove_host(text) if host_line(text) else add_host(text)


CHANGES = {"swapped": swap_host, "removed": remove_host, "added": add_host}


def explain_posts(task, model):
    """The words among the heaviest of the first test posts, most frequent first.

    Returns words, how often each was among them, and the share that stood in headers
    alone. Words outside the vocabulary are not counted.
    """
    counts = Counter()
    headers = []
    whole, _ = task.posts.test
    texts, _ = task.texts.test
    known = set(task.words)
    for i in range(EXPLAINED):
        if not tokenize(texts[i]):
            continue
        explanation = explain_text(
            lambda batch: task.probabilities(model, batch),
            texts[i],
            n_samples=1000,
            progress=False,
        )
        found = {evidence.name.lower() for evidence in explanation.top(k=TOP)}
        counts.update(sorted(found & known))
        written = set(tokenize(whole[i].partition("\n\n")[2]))
        headers += [word not in written for word in sorted(found & known)]
    often = sorted(counts, key=lambda word: (-counts[word], word))[:15]
    return often, [counts[word] for word in often], np.mean(headers)


def measure(task, results):
    """Train, judge and explain all models of a task; fill `results`."""
    place = f"{task.pair}/{task.part}"
    results[f"{place}/groups"] = np.array(PAIRS[task.pair])
    results[f"{place}/words"] = np.array(task.words)
    x, y = task.posts.test
    for kind in task.encoders:
        strength, models = task.train_seeds(kind)
        right = [task.right(model, kind) for model in models]
        results[f"{place}/accuracy/{kind}"] = np.array(right)
        results[f"{place}/l2/{kind}"] = np.array(strength)
        size = sum(p.size for p in models[0].parameters().values())
        results[f"{place}/parameters/{kind}"] = np.array(size)
        print(f"{place:24} {kind:14} {as_row(right)} {size:9,d}   L2 {strength:g}")
        if kind == "RNN" and task.part == "whole":
            for change, function in CHANGES.items():
                texts = [function(text) for text in x]
                after = [task.right(model, kind, texts) for model in models]
                results[f"{place}/accuracy/RNN, host line {change}"] = np.array(after)
                print(f"{place:24} {'  ' + change:14} {as_row(after)}")
        if kind in ("RNN", "bag of words"):
            keep(task, kind, as_stored(models[0]), results)
    if task.part == "whole":
        has = np.array([bool(host_line(text)) for text in x])
        shares = [has[y == label].mean() for label in (0, 1)]
        results[f"{place}/host line"] = np.array(shares)


def keep(task, kind, model, results):
    """The first model's weights, its accuracy as stored, and what LIME says of it."""
    place = f"{task.pair}/{task.part}"
    stored = task.right(model, kind)
    results[f"{place}/stored accuracy/{kind}"] = np.array(stored)
    for name, p in model.parameters().items():
        name = "W" if kind == "bag of words" else name
        results[f"{place}/{kind}/{name}"] = p.astype(np.float16)
    if kind == "RNN":
        words, counts, headers = explain_posts(task, model)
        results[f"{place}/lime/words"] = np.array(words)
        results[f"{place}/lime/counts"] = np.array(counts, np.int16)
        results[f"{place}/lime/header share"] = np.array(headers)
        listed = ", ".join(f"{w} {n}" for w, n in zip(words, counts, strict=True))
        print(f"{place:24} LIME: {listed}; {headers:.0%} in headers alone")


def as_row(shares):
    """Mean and range over seeds, in percent."""
    shares = 100 * np.array(shares)
    return f"{shares.mean():5.1f}  ({shares.min():.1f} to {shares.max():.1f})"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).resolve().parent.parent / "data"
    parser.add_argument("--output", type=Path, default=folder / "news.npz")
    path = parser.parse_args(arguments).output
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        sys.exit("set OPENBLAS_NUM_THREADS=1: sums depend on the number of threads")
    names = Names([datasets.newsgroups(pair, full=True) for pair in PAIRS.values()])
    results = {}
    for pair in PAIRS:
        for part in PARTS:
            measure(NewsTask(pair, part, names), results)
    save(path, results)
    content = path.read_bytes()
    print(f"{len(content):,} bytes, {hashlib.sha256(content).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
