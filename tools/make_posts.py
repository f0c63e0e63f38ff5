"""Make data/posts.jsonl: 1,500 posts in the form of two newsgroups.
They were written for this course.

    python tools/make_posts.py

Every sentence is in tools/sentences/, with slots such as {month} that slots.txt fills.
This script puts them together with a fixed seed; running it again gives the same file,
byte for byte.

Three kinds of post, each as often in one group as in the other:

- *telling*: sentences about rockets or about cars, so that the words alone mostly tell the group;
- *order*: two posts, one in each group, made of the same words. "I came here to talk about
  rockets, not about cars": exchange the two, and the post belongs to the other group. Whoever
  counts words and ignores their order sees no difference, and gets one of the two wrong;
- *vague*, a few: nothing in the body tells the group.

One sentence in five is kept out of the training posts; half of those in the validation
and test posts come from this fifth, the other half differs from the training posts in
the slots alone. The sentences of the posts of kind *order* are few: what is asked of a
network is to learn from them what "not about" and "instead of" do to the word behind,
not to meet new ways to say so.
"""

import argparse
import hashlib
import json
import random
import re
import textwrap
from collections import Counter
from pathlib import Path
from typing import NamedTuple

SENTENCES = Path(__file__).resolve().parent / "sentences"
GROUPS = ("sci.space", "rec.autos")
# How many posts of each kind a group has in each split.
PLAN = {
    "train": {"telling": 335, "order": 150, "vague": 15},
    "validation": {"telling": 67, "order": 30, "vague": 3},
    "test": {"telling": 101, "order": 45, "vague": 4},
}
# How many of them name their host: 5 % and 90 % in all. Where counting words does not
# tell the group, this line does: a model is tempted most where it knows least.
HOST = {"sci.space": 0.05, "rec.autos": 0.9}
HELD_OUT = 5  # every fifth sentence is for validation and test alone
OWN, PLAIN, ORDER, TWIN_ORDER = (
    (2, 4),
    (2, 2),
    (1, 2),
    (5, 6),
)  # sentences in a post, see Writer
REPLY = 0.1
QUOTED, SIGNED = 0.2, 0.25  # shares of posts
WORDS = (42, 80)  # of the post's own sentences; quote and signature come on top
LONGEST = 150
SEED = 1993


def read_sections(name):
    """A file of one sentence a line -> {"heading of the section": [sentences]}."""
    sections = {}
    for line in (SENTENCES / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):  # a heading, or a remark above one
            lines = sections.setdefault(line[2:], [])
        elif line.strip():
            lines.append(line.strip())
    return {title: lines for title, lines in sections.items() if lines}


def read_slots():
    """slots.txt and headers.txt -> {"month": ["January", ...], ...}."""
    lines = [
        line
        for name in ("slots.txt", "headers.txt")
        for line in (SENTENCES / name).read_text(encoding="utf-8").splitlines()
    ]
    pairs = (
        line.split(":", 1)
        for line in lines
        if line.strip() and not line.startswith("#")
    )
    return {
        name: [filler.strip() for filler in fillers.split("|")]
        for name, fillers in pairs
    }


class Author(NamedTuple):
    """Somebody who does not exist, and posts to both groups."""

    name: str
    address: str
    host: str
    organization: str
    motto: str


def invent_authors(number, rng):
    """`number` authors with different surnames."""
    slots = read_slots()
    for last in rng.sample(slots["last"], number):
        domain, organization = rng.choice(slots["site"]).split(", ")
        host = f"{rng.choice(slots['host'])}.{domain}"
        yield Author(
            f"{rng.choice(slots['first'])} {last}",
            f"{last.lower()}@{host}",
            host,
            organization,
            rng.choice(slots["motto"]),
        )


def capitalised(text):
    return text[0].upper() + text[1:]


AUTHORS = tuple(invent_authors(40, random.Random(SEED)))


class Deck:
    """Sentences drawn like cards: all of them once before any comes again."""

    def __init__(self, cards, rng):
        self.cards, self.rng, self.left = cards, rng, []

    def draw(self, without=()):
        """The next card that is not in `without`."""
        if all(card in without for card in self.left):
            self.left += self.rng.sample(self.cards, len(self.cards))
        card = next(card for card in self.left if card not in without)
        self.left.remove(card)
        return card


class Sentences:
    """What one split may use: for training four fifths, for the others the last fifth
    as well.
    """

    def __init__(self, sections, split, rng):
        lines = [line for section in sections.values() for line in section]
        kept = [line for i, line in enumerate(lines) if i % HELD_OUT != HELD_OUT - 1]
        held_out = [
            line for i, line in enumerate(lines) if i % HELD_OUT == HELD_OUT - 1
        ]
        self.decks = (
            [Deck(kept, rng)]
            if split == "train"
            else [Deck(kept, rng), Deck(held_out, rng)]
        )
        self.turn = 0

    def draw(self, without=()):
        self.turn += 1
        return self.decks[self.turn % len(self.decks)].draw(without)


class Writer:
    """Writes the posts of one split."""

    def __init__(self, split, rng):
        self.rng, self.slots = rng, read_slots()
        shared = read_sections("shared.txt")
        # A name spread over two sections starts the second with the same heading.
        self.openings = Sentences({"": shared.pop("openings and manners")}, split, rng)
        self.closings = Sentences({"": shared.pop("closings")}, split, rng)
        self.shared = Sentences(shared, split, rng)
        order = read_sections("order.txt")
        self.plain = Sentences({"": order.pop("plain")}, split, rng)
        self.order = Sentences(order, split, rng)
        self.own = {
            "sci.space": Sentences(read_sections("space.txt"), split, rng),
            "rec.autos": Sentences(read_sections("autos.txt"), split, rng),
        }

    def fill(self, sentence, **given):
        """Replace each slot by a filler: the same slot by the same one, {n} by new
        ones.
        """
        chosen = dict(given)

        def replace(match):
            article, name = match.groups(default="")
            if name == "n" or name not in chosen:
                taken = {
                    value for key, value in chosen.items() if key.rstrip("2") == name
                }
                fillers = self.slots[name.rstrip("2")]
                chosen[name] = self.rng.choice([f for f in fillers if f not in taken])
            word = chosen[name]
            if article and word[0] in "aeiou":
                article = article.replace("a ", "an ").replace("A ", "An ")
            return article + word

        return re.sub(r"(\b[Aa] )?\{([\w.]+)\}", replace, sentence)

    def sentence(self, template, **given):
        return capitalised(self.fill(template, **given))

    def order_sentence(self, template):
        """(about space, about cars): one template, its two topics exchanged."""
        many = {group: self.rng.choice(self.slots[f"{group}.own"]) for group in GROUPS}
        one = {group: self.rng.choice(self.slots[f"{group}.a"]) for group in GROUPS}
        topics = {name: f"{{{name}}}" for name in ("own", "other", "a", "b")}
        template = self.fill(template, **topics)  # what both sentences share
        return tuple(
            self.sentence(
                template, own=many[own], other=many[other], a=one[own], b=one[other]
            )
            for own, other in (GROUPS, GROUPS[::-1])
        )

    def several(self, source, number):
        """`number` different cards of one deck."""
        cards = []
        for _ in range(number):
            cards.append(source.draw(cards))
        return cards

    def frame(self):
        """Opening and closing sentence, either may be missing."""
        return (
            [self.sentence(self.openings.draw())] if self.rng.random() < 0.6 else [],
            [self.sentence(self.closings.draw())] if self.rng.random() < 0.6 else [],
        )

    def pad(self, sentences, others, source, target):
        """Add sentences of a deck until the post has `target` words or more."""
        used = []
        while count(sentences + others) < target:
            used.append(source.draw(used))
            sentences.append(self.sentence(used[-1]))

    def telling(self, group):
        """A post whose words tell its group: [sentences]."""
        target = self.rng.randint(*WORDS)
        opening, closing = self.frame()
        cards = self.several(self.own[group], self.rng.randint(*OWN))
        middle = [self.sentence(card) for card in cards]
        cards = self.several(self.order, self.rng.randint(*ORDER)) + self.several(
            self.plain, self.rng.randint(*PLAIN)
        )
        middle += [self.order_sentence(card)[GROUPS.index(group)] for card in cards]
        source = self.shared if self.rng.random() < 0.7 else self.own[group]
        self.pad(middle, opening + closing, source, target)
        self.rng.shuffle(middle)
        return opening + middle + closing

    def twins(self, kind):
        """Two posts of the same words, one for each group: ([sentences],
        [sentences]).
        """
        target = self.rng.randint(*WORDS)
        opening, closing = self.frame()
        number = self.rng.randint(*TWIN_ORDER) if kind == "order" else 0
        pairs = [self.order_sentence(card) for card in self.several(self.order, number)]
        neutral = []
        self.pad(
            neutral,
            opening + closing + [space for space, _ in pairs],
            self.shared,
            target,
        )
        posts = []
        for i in range(2):
            middle = neutral + [pair[i] for pair in pairs]
            self.rng.shuffle(middle)
            posts.append(opening + middle + closing)
        return tuple(posts)

    def around(self, quotable):
        """What stands around a post: author, quoted lines or none, signature or
        none.
        """
        author, other = self.rng.sample(AUTHORS, 2)
        quote = signature = ""
        if self.rng.random() < QUOTED:
            number = f"{self.rng.randint(1, 28)}.{self.rng.randint(10000, 99999)}"
            month = self.fill("{month}")[:3]
            quoted = textwrap.wrap(self.sentence(quotable.draw()), 68)
            quote = "\n".join(
                [
                    f"In article <1993{month}{number}@{other.host}> "
                    f"{other.address} ({other.name}) writes:",
                    *(f"> {line}" for line in quoted),
                ]
            )
        if self.rng.random() < SIGNED:
            signature = f"-- \n{author.name}   {author.address}\n{author.motto}"
        return {"author": author, "quote": quote, "signature": signature}

    def body(self, sentences, quote, signature, **_):
        """Quote, one to three paragraphs, signature."""
        cuts = sorted(self.rng.sample(range(1, len(sentences)), self.rng.randint(0, 2)))
        paragraphs = [
            textwrap.fill(" ".join(sentences[i:j]), 72)
            for i, j in zip([0, *cuts], [*cuts, None], strict=True)
        ]
        return "\n\n".join(
            [quote] * bool(quote) + paragraphs + [signature] * bool(signature)
        )

    def header(self, body, subject, host, author, **_):
        """The header lines; `Nntp-Posting-Host` only if `host`."""
        reply = "Re: " if self.rng.random() < 0.5 else ""
        lines = [
            f"Subject: {reply}{capitalised(self.fill(subject))}",
            f"Organization: {author.organization}",
        ]
        if self.rng.random() < 0.3:
            lines.append(f"Distribution: {self.fill('{distribution}')}")
        if self.rng.random() < REPLY:
            lines.append(f"Reply-To: {author.address}")
        if host:
            key = self.rng.choice(["Nntp-Posting-Host", "NNTP-Posting-Host"])
            line = f"{self.rng.randint(1, 40):02d}"
            lines.append(
                f"{key}: dialup-{line}.gateway.{author.host.partition('.')[2]}"
            )
        lines.append(f"Lines: {body.count(chr(10)) + 1}")
        self.rng.shuffle(lines)
        return "\n".join([f"From: {author.address} ({author.name})", *lines])


def count(sentences):
    return sum(len(sentence.split()) for sentence in sentences)


def write_split(split, rng):
    """The posts of one split, as dicts without their number."""
    writer = Writer(split, rng)
    posts = []
    for group in GROUPS:
        for _ in range(PLAN[split]["telling"]):
            subject = rng.choice(writer.slots[f"{group}.subject"])
            around = writer.around(writer.own[group])
            posts.append(
                (group, "telling", None, subject, writer.telling(group), around)
            )
        for _ in range(PLAN[split]["vague"]):
            subject = rng.choice(writer.slots["subject"])
            around = writer.around(writer.shared)
            posts.append(
                (group, "vague", None, subject, writer.twins("vague")[0], around)
            )
    for number in range(PLAN[split]["order"]):
        around = writer.around(writer.shared)
        for group, sentences in zip(GROUPS, writer.twins("order"), strict=True):
            subject = rng.choice(writer.slots["subject"])
            posts.append((group, "order", number, subject, sentences, around))
    rng.shuffle(posts)

    host = {group: hosts(split, group, rng) for group in GROUPS}
    for group, kind, twin, subject, sentences, around in posts:
        body = writer.body(sentences, **around)
        if len(body.split()) > LONGEST:
            around = around | {"quote": "", "signature": ""}
            body = writer.body(sentences, **around)
        header = writer.header(body, subject, host[group][kind].pop(), **around)
        yield {
            "group": group,
            "split": split,
            "kind": kind,
            "twin": twin,
            "text": f"{header}\n\n{body}\n",
        }


def hosts(split, group, rng):
    """Which posts name their host: {"telling": [bool, ...], "order": ..., "vague":
    ...}.
    """
    plan = PLAN[split]
    usual = HOST[group] > 0.5
    unusual = round(sum(plan.values()) * min(HOST[group], 1 - HOST[group]))
    telling = [not usual] * unusual + [usual] * (plan["telling"] - unusual)
    return {
        kind: rng.sample(telling, number) if kind == "telling" else [usual] * number
        for kind, number in plan.items()
    }


def make():
    """All posts, numbered: [{"id", "group", "split", "kind", "twin", "text"}].

    `twin` is the id of the other post made of the same words, None where there is none.
    """
    posts = []
    for split in PLAN:
        # One generator a split: a change to one leaves the others as they are.
        posts += write_split(split, random.Random(f"{SEED} {split}"))
    pairs = {}
    for number, post in enumerate(posts, 1):
        posts[number - 1] = post = {"id": number} | post
        if post["twin"] is not None:
            pairs.setdefault((post["split"], post["twin"]), []).append(post)
    for one, other in pairs.values():
        one["twin"], other["twin"] = other["id"], one["id"]
    alike = [
        text
        for text, times in Counter(post["text"] for post in posts).items()
        if times > 1
    ]
    if alike:
        raise SystemExit(f"{len(alike)} posts are alike: change SEED")
    return posts


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parent.parent / "data" / "posts.jsonl"
    parser.add_argument("--output", type=Path, default=default)
    path = parser.parse_args(arguments).output
    lines = (json.dumps(post, ensure_ascii=False) for post in make())
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    part.replace(path)  # whole or not at all
    print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
