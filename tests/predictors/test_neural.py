"""The paper's surrogates against plain torch, one member and one architecture at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_tokens import SLOTS, VOCABULARY, draw_tokens, draw_values
from torch import nn

from cambrian.errors import UsageError
from cambrian.one_thread import one_thread
from cambrian.predictors import PREDICTORS, spearman
from cambrian.predictors import lstm as lstm_module
from cambrian.predictors import mlp as mlp_module
from cambrian.predictors.lstm import LSTM
from cambrian.predictors.mlp import MLP
from cambrian.predictors.neural import PAPER_BIAS, Scale, folds

BOTH = [MLP, LSTM]
KINDS = list(VOCABULARY)


def embedded(table, step):
    """The embeddings of a step's tokens, in a list; the table holds all kinds one after the other."""
    first = {"input": 0, "operation": VOCABULARY["input"]}
    zero = torch.zeros(table.shape[1])
    return [table[first[kind] + t] if t >= 0 else zero for kind, t in zip(SLOTS, step)]


def naive_mlp(p, architecture):
    """Liu et al. 2018, Sec. 4.2, as one reads it: embed, concatenate, mean over blocks, two layers."""
    blocks = [torch.cat(embedded(p["embedding"], s)) for s in architecture if max(s) >= 0]
    x = torch.stack(blocks).mean(dim=0)
    x = torch.relu(x @ p["w1"] + p["b1"][0])
    x = torch.relu(x @ p["w2"] + p["b2"][0])
    return torch.sigmoid(x @ p["w3"][:, 0] + p["bias"][0, 0])


def naive_lstm(p, architecture):
    """The last hidden state of torch's own LSTM over the tokens that are there, one layer, a sigmoid."""
    cell = nn.LSTM(p["embedding"].shape[1], p["w_hidden"].shape[0])
    with torch.no_grad():
        cell.weight_ih_l0.copy_(p["w_input"].T)
        cell.weight_hh_l0.copy_(p["w_hidden"].T)
        cell.bias_ih_l0.copy_(p["b_gates"][0])
        cell.bias_hh_l0.zero_()
    words = [w for s in architecture for w, t in zip(embedded(p["embedding"], s), s) if t >= 0]
    _, (h, _) = cell(torch.stack(words))
    return torch.sigmoid(h[-1] @ p["w_out"][:, 0] + p["bias"][0, 0])


NAIVE = {MLP: naive_mlp, LSTM: naive_lstm}


def small(kind, **settings):
    return kind(**{"members": 3, "updates": 20, "embedding": 6, "hidden": 8, **settings})


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("holes", [False, True])
def test_forward_is_the_naive_network(kind, holes):
    """Every member, every architecture; and the prediction is the members' mean."""
    model = small(kind)
    tokens = draw_tokens(12, 3, holes=holes)
    state = model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 3), draw_tokens(30, 2), draw_values(30))
    with torch.no_grad():
        expected = [
            [float(NAIVE[kind]({k: t[m] for k, t in state.tensors().items()}, a)) for a in tokens.tolist()]
            for m in range(model.members)
        ]
    assert np.allclose(model.members_predict(state, tokens), expected, atol=1e-6)
    assert np.allclose(model.predict_tokens(state, tokens), np.mean(expected, axis=0), atol=1e-6)
    assert np.std(expected, axis=0).min() > 0  # members are different networks


@pytest.mark.parametrize("kind", BOTH)
def test_training_is_adam_on_the_mean_absolute_error(kind):
    """One member, all data in each batch, three steps: the parameters of the naive network, started at the
    mean, trained by torch's Adam on L1 loss, at the first level's rate and then, moments forgotten, at the
    later one's."""
    model = small(kind, members=1, updates=3, batch=100, lr=0.02, lr_later=0.004)
    tokens, values = draw_tokens(14, 2), draw_values(14)
    state = model.start_tokens(SLOTS, VOCABULARY, 1)
    p = {name: t[0].clone() for name, t in state.tensors().items()}
    p["bias"].fill_(np.log(values.mean() / (1 - values.mean())))
    p = {name: t.requires_grad_() for name, t in p.items()}
    for rate in (0.02, 0.004):
        state = model.fit_tokens(state, tokens, values)
        adam = torch.optim.Adam(p.values(), lr=rate)
        for _ in range(3):
            out = torch.stack([_naive_with_gradient(kind, p, a) for a in tokens.tolist()])
            loss = (out - torch.tensor(values, dtype=torch.float32)).abs().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        for name, tensor in p.items():
            assert np.allclose(state.parameters[name][0], tensor.detach().numpy(), atol=2e-5), name


def _naive_with_gradient(kind, p, architecture):
    """As above; an LSTM whose weights get the gradient is written out gate by gate."""
    if kind is MLP:
        return naive_mlp(p, architecture)
    h = c = torch.zeros(p["w_hidden"].shape[0])
    for step in architecture:
        for word, token in zip(embedded(p["embedding"], step), step):
            if token >= 0:
                gates = word @ p["w_input"] + h @ p["w_hidden"] + p["b_gates"][0]
                i, f, g, o = gates.split(len(h))
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
    return torch.sigmoid(h @ p["w_out"][:, 0] + p["bias"][0, 0])


@pytest.mark.parametrize("kind", BOTH)
def test_the_papers_settings(kind):
    """Embeddings of 100 from U[-0.1, 0.1], layers of 100 units, learning rates 0.01 and 0.002; before
    anything is known the prediction of the paper's own is about sigmoid(1.8) = 0.858."""
    model = kind(bias=PAPER_BIAS)
    assert (model.embedding, model.hidden, model.lr, model.lr_later) == (100, 100, 0.01, 0.002)
    state = model.start_tokens(SLOTS, VOCABULARY, 0)
    table = state.parameters["embedding"]
    assert table.shape == (1, 7, 100)
    assert 0.098 < np.abs(table).max() <= 0.1
    assert abs(table.mean()) < 0.01
    assert state.parameters["bias"].item() == pytest.approx(1.8)
    assert np.allclose(model.predict_tokens(state, draw_tokens(50, 5)), 1 / (1 + np.exp(-1.8)), atol=0.02)


def test_parameter_counts_by_hand():
    """The MLP: 7 embeddings, 4 * 100 -> 100 -> 100 -> 1; the LSTM: 4 gates of 100 + 100 inputs."""
    count = {
        kind: sum(a.size for a in kind().start_tokens(SLOTS, VOCABULARY, 0).parameters.values())
        for kind in BOTH
    }
    assert count[MLP] == 7 * 100 + (400 * 100 + 100) + (100 * 100 + 100) + (100 + 1)
    assert count[LSTM] == 7 * 100 + 4 * (200 * 100 + 100) + (100 + 1)


def test_ensembles_are_five():
    """The paper's ensembles; and its own, which start where its accuracies were, under their names."""
    for kind, module, name in ((MLP, mlp_module, "mlp"), (LSTM, lstm_module, "lstm")):
        assert kind(members=5) == module.ENSEMBLE == PREDICTORS.make(f"{name}-ensemble")
        paper = PREDICTORS.make(f"{name}-ensemble-paper")
        assert paper == module.PAPER == kind(members=5, bias=1.8)


@pytest.mark.parametrize("n", [5, 6, 100, 136, 137, 999])
def test_members_see_four_fifths(n):
    """Left-out shares are a partition, and each member sees at least the rest less one."""
    seen = folds(n, 5, np.random.default_rng(0))
    assert seen.shape == (5, n - -(-n // 5))
    assert all(len(set(row)) == len(row) for row in seen.tolist())
    unseen = [set(range(n)) - set(row) for row in seen.tolist()]
    assert set().union(*unseen) == set(range(n))
    assert all(len(u) == -(-n // 5) for u in unseen)
    if n % 5 == 0:
        assert sum(map(len, unseen)) == n


@pytest.mark.parametrize(("n", "members"), [(7, 1), (3, 5), (1, 5)])
def test_who_sees_everything(n, members):
    """A single network, and members who could not each leave something out."""
    assert folds(n, members, np.random.default_rng(0)).tolist() == [list(range(n))] * members


@pytest.mark.parametrize("kind", BOTH)
def test_the_number_of_threads_changes_nothing(kind):
    """Fits, predictions and scores are equal to the last bit, and the setting is left as it was."""
    model, threads, found = small(kind, embedding=100, hidden=100), torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            state = model.fit_tokens(
                model.start_tokens(SLOTS, VOCABULARY, 0), draw_tokens(80, 3), draw_values(80)
            )
            parents, step = draw_tokens(9, 3), draw_tokens(3000, 1, seed=4)[:, 0]
            scores = model.score_children(state, parents, np.arange(3000) % 9, step)
            found.append((state, model.predict_tokens(state, parents).tobytes(), scores.tobytes()))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_threads_are_restored_after_an_error():
    """Also when what ran on one thread fails."""
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        raise KeyError(torch.get_num_threads())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("kind", BOTH)
def test_global_generators_are_left_alone(kind):
    """Neither torch's nor numpy's global generator is drawn from or seeded."""
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()
    model = small(kind)
    model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), draw_tokens(20, 2), draw_values(20))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("low", "high"), [(60.0, 97.0), (-8.0, -2.0), (0.0, 1e6)])
def test_values_of_any_range_are_ranked_and_predicted_in_their_unit(kind, low, high):
    """Percentages, negative losses, large rewards: as well ranked as accuracies, in the range given."""
    tokens = draw_tokens(60, 1)
    share = tokens[:, 0, 2] / 2 + np.random.default_rng(0).normal(0, 0.02, size=60)
    values = low + (high - low) * share.clip(0, 1)
    model = small(kind, updates=200, hidden=16)
    state = model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), tokens, values)
    predicted = model.predict_tokens(state, tokens)
    assert spearman(predicted, values) > 0.85
    assert np.abs(predicted - values).mean() < 0.15 * (high - low)


def test_accuracies_are_not_scaled():
    """In [0, 1] the map is the identity; elsewhere increasing, onto [0.1, 0.9]; one value is a half."""
    assert Scale.of(np.array([0.0, 1.0])) == Scale.of(np.array([0.93, 0.94])) == Scale(0.0, 1.0)
    values = np.array([-3.0, 0.0, 5.0])
    scale = Scale.of(values)
    assert np.allclose(scale.shrink(values), [0.1, 0.4, 0.9])
    assert np.allclose(scale.stretch(scale.shrink(values)), values)
    assert np.allclose(Scale.of(np.array([7.0, 7.0])).shrink(np.array([7.0])), 0.5)


def test_the_few_above_chance_stay_apart():
    """Where most networks are at chance the others are beyond any fence, and are those to tell apart; far
    below, a loss that exploded does not count for the range."""
    values = np.concatenate([np.linspace(9.9, 10.1, 80), np.linspace(15, 60, 20)])
    assert len(set(Scale.of(values).shrink(values).tolist())) == 100
    exploded = np.concatenate([np.linspace(-2, -1, 50), [-1e6]])
    assert Scale.of(exploded) == Scale.of(exploded[:-1])


@pytest.mark.parametrize("setting", ["members", "updates", "epochs", "batch", "embedding", "hidden", "lr"])
def test_settings_must_be_positive(setting):
    """One sentence names the setting."""
    with pytest.raises(UsageError, match=f"predictor 'mlp': {setting} is (at least 1|above 0), got 0"):
        MLP(**{setting: 0})


def test_a_fit_ends_after_so_many_epochs():
    """A handful of examples is seen `epochs` times at most: more updates then change nothing."""
    tokens, values = draw_tokens(4, 1), draw_values(4)
    states = []
    for updates in (5, 500):
        model = small(MLP, updates=updates, epochs=5)
        states.append(model.fit_tokens(model.start_tokens(SLOTS, VOCABULARY, 0), tokens, values))
    assert states[0] == states[1]
    assert states[0] != model.start_tokens(SLOTS, VOCABULARY, 0)
