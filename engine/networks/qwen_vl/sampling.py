"""Drawing the next token of several streams, each from its own sequence of chances."""

from collections.abc import Sequence

import numpy as np
import torch


def chances(keys: Sequence[tuple[int, int]], tokens: int) -> torch.Tensor:
    """(tokens, streams) float32 in 0..1, the same on every machine (Philox); a column is its key's alone.

    keys: two numbers of 0..2^64 - 1 per stream.
    """
    columns = [
        np.random.Generator(np.random.Philox(key=np.array(key, np.uint64))).random(tokens, np.float32) for key in keys
    ]
    return torch.from_numpy(np.stack(columns, axis=1))


def draw(scores: torch.Tensor, chance: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    """One row (K,) per stream from scores (K, rows), as transformers samples: temperature, top-k, top-p.

    top-p: Holtzman et al., 2020. `chance` (K,) in 0..1 decides, by the inverse of the cumulated distribution, so a
    stream's choice does not depend on the others'. Nothing here waits for the device.
    """
    best, rows = scores.topk(min(top_k, scores.shape[1]), dim=1)
    shares = (best / temperature).softmax(dim=1)
    before = shares.cumsum(dim=1) - shares
    shares = shares.masked_fill(before >= top_p, 0)
    reached = shares.cumsum(dim=1)
    place = (reached <= chance[:, None] * reached[:, -1:]).sum(dim=1, keepdim=True)
    last = (shares > 0).sum(dim=1, keepdim=True) - 1  # rounding may carry the sum past the last share
    return rows.gather(1, torch.minimum(place, last))[:, 0]
