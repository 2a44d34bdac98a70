"""Letting a model write."""

import torch
from torch import Tensor

from treadle.demo.text.network import GPT


def write(
    model: GPT,
    prompt: Tensor,
    *,
    characters: int,
    temperature: float,
    top_k: int,
    seed: int,
) -> Tensor:
    """Draw characters one after the other, each from what the model makes of those before it.

    The random numbers are those of a generator of its own, so nothing else is drawn differently for it. The model is
    used as it is: put it in evaluation mode, or dropout writes along.

    Args:
        model: Sees the last `block` characters.
        prompt: `(T,)` int64, at least one.
        characters: How many to write.
        temperature: Below 1 the likely becomes likelier, above 1 less so.
        top_k: Only so many, the likeliest, are drawn from. (A. Fan et al., Hierarchical Neural
            Story Generation, 2018.)
        seed: Of the generator.

    Returns:
        `(characters,)` int64 on the CPU: what comes after the prompt.
    """
    generator = torch.Generator().manual_seed(seed)
    text = prompt
    with torch.no_grad():
        for _ in range(characters):
            # On the CPU, where the same generator is at hand whatever the model is on.
            logits = model(text[None, -model.block :])[0, -1].float().cpu() / temperature
            least = logits.topk(min(top_k, len(logits))).values[-1]
            logits = logits.masked_fill(logits < least, -torch.inf)
            drawn = torch.multinomial(logits.softmax(0), 1, generator=generator)
            text = torch.cat([text, drawn.to(text.device)])
    return text[len(prompt) :].cpu()
