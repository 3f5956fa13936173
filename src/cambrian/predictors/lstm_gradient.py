"""The hidden state of an LSTM after sequences of tokens, with its gradient by backpropagation through time
written out: autograd would record five times as many operations, each of which costs more than its numbers
in batches of sixteen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class ReadTokens(torch.autograd.Function):
    """The hidden state [m, n, hidden] of m networks after the tokens int[m, n, length], -1 where there is
    none. `table` [m, tokens, 4 * hidden] is what each token gives to the gates (input, forget, cell, output),
    `w_hidden` [m, hidden, 4 * hidden] what the state before gives."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, w_hidden: Tensor, tokens: Tensor) -> Tensor:
        m, n, length = tokens.shape
        hidden = w_hidden.shape[1]
        real = (tokens >= 0).permute(2, 0, 1)[..., None]
        # Rows of the table of all networks below one another, step by step.
        rows = tokens.clamp(min=0).permute(2, 0, 1) + table.shape[1] * torch.arange(m)[:, None]
        given = table.reshape(-1, 4 * hidden).index_select(0, rows.reshape(-1)).view(length, m, n, 4 * hidden)
        gates, states = torch.empty_like(given), table.new_zeros(2, length + 1, m, n, hidden)
        bent = table.new_empty(length, m, n, hidden)
        for t in range(length):
            h, c = states[:, t]
            gate = torch.baddbmm(given[t], h, w_hidden, out=gates[t])
            gate[..., : 2 * hidden].sigmoid_()
            gate[..., 2 * hidden : 3 * hidden].tanh_()
            gate[..., 3 * hidden :].sigmoid_()
            i, f, g, o = gate.split(hidden, dim=-1)
            after = torch.addcmul(f * c, i, g, out=states[1, t + 1])
            torch.mul(o, torch.tanh(after, out=bent[t]), out=states[0, t + 1])
            if not bool(real[t].all()):
                torch.where(real[t], states[:, t + 1], states[:, t], out=states[:, t + 1])
        ctx.save_for_backward(gates, states, bent, w_hidden, rows, real)
        ctx.tokens = table.shape[1]
        return states[0, length].clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        gates, states, bent, w_hidden, rows, real = ctx.saved_tensors
        length, m, n, hidden = bent.shape
        i, f, g, o = gates.split(hidden, dim=-1)
        # What each gate's input moves, of the cell (the first three) and of the hidden state: for all steps.
        moved = torch.stack(
            [g * i * (1 - i), states[1, :-1] * f * (1 - f), i * (1 - g * g), bent * o * (1 - o)], dim=3
        )
        through = o * (1 - bent * bent)
        back = w_hidden.transpose(1, 2)
        dh, dc = grad, torch.zeros_like(grad)
        for t in reversed(range(length)):
            # No token, no step: what comes in goes out.
            stays = None if bool(real[t].all()) else (~real[t]).to(dh.dtype)
            if stays is not None:
                kept_h, kept_c = dh * stays, dc * stays
                dh, dc = dh - kept_h, dc - kept_c
            dc = torch.addcmul(dc, dh, through[t])
            moved[t, :, :, :3] *= dc[:, :, None]
            moved[t, :, :, 3] *= dh
            dh = torch.bmm(moved[t].view(m, n, 4 * hidden), back)
            dc = dc * f[t]
            if stays is not None:
                dh, dc = dh + kept_h, dc + kept_c
        gradients = moved.view(length, m, n, 4 * hidden)
        d_table = gates.new_zeros(m * ctx.tokens, 4 * hidden)
        d_table.index_add_(0, rows.reshape(-1), gradients.reshape(-1, 4 * hidden))
        before = states[0, :-1].permute(1, 3, 0, 2).reshape(m, hidden, length * n)
        d_hidden = torch.bmm(before, gradients.transpose(0, 1).reshape(m, length * n, 4 * hidden))
        return d_table.view(m, ctx.tokens, 4 * hidden), d_hidden, None
