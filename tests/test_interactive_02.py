"""The instruments of notebook 02: each draws, for each place of its controls."""

import time

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scratchml import CharacterModel, datasets, interactive

SENTENCE = "there she blows there she blows a hump like a snow hill"
POST = "From: lee@quill.invalid\nSubject: hello\n\nWould you come to our church?"
LINE = "NNTP-Posting-Host: quill.invalid"


@pytest.fixture
def shown(monkeypatch):
    """What an instrument hands to `show`: [(draw, controls)]."""
    found = []
    monkeypatch.setattr(
        interactive, "show", lambda draw, **controls: found.append((draw, controls))
    )
    with plt.rc_context({"axes.titlelocation": "center"}):
        yield found
    plt.close("all")


def small(cell):
    return CharacterModel(cell=cell, hidden=8, rng=np.random.default_rng(0))


def titles(figure):
    return [" ".join(axes.get_title().split()) for axes in figure.axes]


def test_the_last_letters_count_most_and_the_lstm_hears_further(shown):
    models = {"RNN": small("RNN"), "LSTM": datasets.mobydick_model()}
    interactive.what_did_it_remember(models, SENTENCE)
    draw, controls = shown[0]
    slider = controls["read"]
    assert slider.high == len(SENTENCE) - 1
    for read in (slider.low, slider.start, slider.high):
        figure = draw(read=read)
        above, below = titles(figure)
        assert above.startswith("RNN: nine tenths") and below.startswith("LSTM:")
    coloured = figure.axes[1].images[0].get_array().ravel()
    assert np.isfinite(coloured[: slider.high]).all()
    assert coloured[: slider.high].sum() == pytest.approx(1, abs=1e-4)


def test_dx_lengths_are_those_of_the_loss(shown):
    model = small("GRU").astype(np.float64)
    ids = np.array([1, 2, 3, 4])
    p, lengths = interactive._letters_count(model, ids)
    W = model.layers[0].params["W"]

    def surprise():
        return -np.log(interactive._letters_count(model, ids)[0])

    slope = []
    for j in range(W.shape[1]):
        before = W[2, j]
        W[2, j] = before + 1e-6
        up = surprise()
        W[2, j] = before - 1e-6
        slope.append((up - surprise()) / 2e-6)
        W[2, j] = before
    assert 0 < p < 1 and lengths.shape == (3,)
    assert np.linalg.norm(slope) == pytest.approx(lengths[1], rel=1e-4)


def test_strange_characters_are_refused():
    with pytest.raises(ValueError, match="a to z"):
        interactive.what_did_it_remember({"RNN": small("RNN")}, "Ahab!")


def test_a_moment_and_a_temperature_are_handed_on(shown):
    asked = []

    def write(network, prompt, temperature):
        asked.append((network, temperature))
        return prompt + "the whale " * 12

    interactive.learn_to_write({"step 0": 0, "step 50": 50}, write, "call me ")
    draw, controls = shown[0]
    assert controls["moment"].high == 2
    figure = draw(moment=1, temperature=0.5)
    assert (0, 0.5) in asked
    assert any("call me the whale" in t.get_text() for t in figure.axes[0].texts)


def test_all_moments_are_drawn_where_nothing_moves(monkeypatch, shown):
    monkeypatch.setenv("SCRATCHML_STILL", "1")
    interactive.learn_to_write({"a": 1, "b": 2}, lambda m, p, t: f"{p}{m}", "x")
    figure = shown[0][0](moment=2, temperature=0.5)
    assert [t.get_text() for t in figure.axes[0].texts] == ["a", "x1", "b", "x2"]


def test_prompt_and_temperature_of_your_own(shown):
    interactive.next_letters(datasets.mobydick_model(), "the white ")
    draw, _ = shown[0]
    heights = {}
    for temperature in (0.1, 1.5):
        figure = draw(prompt="The white ", temperature=temperature)
        heights[temperature] = [bar.get_height() for bar in figure.axes[1].patches]
        assert sum(heights[temperature]) == pytest.approx(1)
    assert max(heights[0.1]) > max(heights[1.5])
    with pytest.raises(ValueError, match="at least one character"):
        draw(prompt="", temperature=1)


def test_the_host_line_moves_the_live_post(shown):
    network = datasets.news_networks()["atheism-christian", "whole"]
    interactive.live_post(network, POST, LINE)
    draw, controls = shown[0]
    assert not controls["line"].start
    without, with_line = (draw(post=POST, line=line) for line in (False, True))
    said = [float(titles(figure)[0][-4:]) for figure in (without, with_line)]
    assert said[0] - said[1] > 0.2
    words = [label.get_text() for label in with_line.axes[0].get_xticklabels()]
    assert "NNTP" in words or "nntp" in words
    draw(post="", line=False)  # nothing typed, nothing raised


def test_p_word_by_word_ends_where_the_network_ends():
    network = datasets.news_networks()["atheism-christian", "whole"]
    ids = network.vocabulary.encode(POST)
    p = interactive._after_each_word(network.model, ids)
    scores = network.model.forward(np.array([ids]))
    assert p[-1] == pytest.approx(interactive.softmax(scores)[0, 1], abs=1e-5)
    assert len(p) == len(ids)


@pytest.mark.parametrize("place", ["low", "high"])
def test_a_picture_takes_a_moment(shown, place):
    model = datasets.mobydick_model()
    interactive.what_did_it_remember({"RNN": small("RNN"), "LSTM": model}, SENTENCE)
    interactive.next_letters(model, "call me ")
    for draw, controls in shown:
        values = {
            name: getattr(control, place, control.start)
            for name, control in controls.items()
        }
        draw(**values)
        start = time.process_time()
        draw(**values)
        assert time.process_time() - start < 1.0  # 0.3 on a quiet machine
