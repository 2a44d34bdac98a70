# The signatures are torch's, and what they take is what is not kept.
# ruff: noqa: ARG002
"""What a `SummaryWriter` of ours takes and does not keep, so that no script ends in the middle because of it."""

from collections.abc import Sequence
from typing import Any

from treadle_tracking.notices import say

__all__ = ["Unkept"]


class Unkept:
    """Methods that say once, each for itself, that what they are given is not kept."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def _say(self, method: str, what: str) -> None:
        if method not in self._said:
            self._said.add(method)
            say(f"SummaryWriter.{method}: {what} is not kept, and the script goes on")

    def add_custom_scalars(self, layout: Any) -> None:
        """Say once that TensorBoard's layouts of charts are not kept. The scalars in them are."""
        self._say("add_custom_scalars", "a layout of charts")

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Say the same."""
        self._say("add_custom_scalars_multilinechart", "a layout of charts")

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Say the same."""
        self._say("add_custom_scalars_marginchart", "a layout of charts")

    def add_graph(self, *arguments: Any, **options: Any) -> None:
        """Say once that graphs are not kept."""
        self._say("add_graph", "a graph")

    def add_onnx_graph(self, *arguments: Any, **options: Any) -> None:
        """Say the same."""
        self._say("add_onnx_graph", "a graph")

    def add_embedding(self, *arguments: Any, **options: Any) -> None:
        """Say once that embeddings are not kept."""
        self._say("add_embedding", "an embedding")

    def add_video(self, *arguments: Any, **options: Any) -> None:
        """Say once that videos are not kept; single images are, with `add_image`."""
        self._say("add_video", "a video")

    def add_audio(self, *arguments: Any, **options: Any) -> None:
        """Say once that sounds are not kept."""
        self._say("add_audio", "a sound")

    def add_mesh(self, *arguments: Any, **options: Any) -> None:
        """Say once that meshes are not kept."""
        self._say("add_mesh", "a mesh")

    def add_pr_curve(self, *arguments: Any, **options: Any) -> None:
        """Say once that precision-recall curves are not kept."""
        self._say("add_pr_curve", "a precision-recall curve")

    def add_pr_curve_raw(self, *arguments: Any, **options: Any) -> None:
        """Say the same."""
        self._say("add_pr_curve_raw", "a precision-recall curve")

    def add_tensor(self, *arguments: Any, **options: Any) -> None:
        """Say once that tensors of several elements are not kept."""
        self._say("add_tensor", "a tensor of several elements")

    def add_image_with_boxes(self, *arguments: Any, **options: Any) -> None:
        """Say once that images are not kept together with boxes; they are with `add_image`."""
        self._say("add_image_with_boxes", "an image with boxes")
