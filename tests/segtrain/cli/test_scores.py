from __future__ import annotations

from segtrain.cli.scores import titled
from segtrain.evaluation.semantic.confusion import SegmentationReport
from segtrain.evaluation.semantic.membranes import MembraneReport


def test_every_score_that_a_report_may_have_is_printed() -> None:
    membranes = MembraneReport(dice=0.1, iou=0.2, pixel_error=0.3, rand=0.4, information=0.5)
    numbers = SegmentationReport((), 0.6, 0.7, 9, ((9,),), soft_dice=0.8, membranes=membranes, loss=0.9).numbers
    shown = [(title, f"{value:{form}}") for title, value, form in titled(numbers)]
    assert len(shown) == len(numbers) == 9
    assert shown[0] == ("mIoU", "60.00%") and shown[-1] == ("information", "0.5000")


def test_scores_that_a_report_lacks_are_left_out() -> None:
    assert [title for title, *_ in titled({"eval_loss": 1.0, "miou": 0.5})] == ["mIoU", "loss"]
