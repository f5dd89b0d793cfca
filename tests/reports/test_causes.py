"""The picture: a lane for each cause, dots while they can be told apart, then bars."""

import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from ecs_runbook.diagnosis.failures import EACH_COLUMNS
from ecs_runbook.reports.causes import BINS, COLOURS, MOST_LANES, causes_picture
from ecs_runbook.reports.timeline import GREY

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
LONG = "A title of a cause that is so long that it cannot stand on a single line beside its lane, nor on two"


def failed(*rows, days=30):
    """Rows of (hour, cause, title)."""
    told = [
        {"time": None if hour is None else BEGIN + timedelta(hours=hour), "cause": cause, "title": title}
        for hour, cause, title in rows
    ]
    each = pd.DataFrame(told, columns=EACH_COLUMNS).assign(time=lambda table: pd.to_datetime(table["time"], utc=True))
    kinds = each.drop_duplicates(["cause", "title"])
    return SimpleNamespace(each=each, table=kinds, since=BEGIN, until=BEGIN + timedelta(days=days))


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()][::-1]


def dots(figure):
    return {
        to_hex(points.get_facecolor()[0]).upper(): len(points.get_offsets())
        for points in figure.axes[0].collections
        if isinstance(points, PathCollection)
    }


def test_a_lane_for_each_cause_the_most_frequent_on_top_and_the_unknown_grey_at_the_bottom():
    figure = causes_picture(
        failed((1, "", "unknown"), (50, "", "unknown"), (3, "a", "A"), (4, "b", "B"), (40, "b", "B"))
    )
    assert names(figure) == ["B ×2", "A ×1", "unknown ×2"]
    assert dots(figure) == {COLOURS[0]: 2, COLOURS[1]: 1, GREY: 2}
    assert figure.axes[0].get_title(loc="left") == "5 failures, 3 causes"


def test_one_failure_is_one_dot():
    figure = causes_picture(failed((3, "a", "A")))
    assert dots(figure) == {COLOURS[0]: 1}
    assert figure.axes[0].get_title(loc="left") == "1 failure, 1 cause"


def test_failures_of_one_moment_share_a_dot_that_says_how_many_they_are():
    figure = causes_picture(failed((1, "a", "A"), (1, "a", "A"), (1.5, "a", "A"), (400, "a", "A")))
    assert dots(figure) == {COLOURS[0]: 2}
    assert [text.get_text() for text in figure.axes[0].texts] == ["3"]


def test_ten_thousand_are_counted_in_bins_and_none_is_lost_from_the_names():
    figure = causes_picture(failed(*((number % 720, "a", "A") for number in range(10_000))))
    assert names(figure) == ["A ×10,000"]
    assert len(figure.axes[0].patches) == BINS
    assert figure.axes[0].get_xlabel().endswith(" · bars count by 12.0 hours")


def test_a_bin_of_one_is_seen_beside_a_bin_of_thousands():
    figure = causes_picture(failed(*[(1, "a", "A")] * 5000, (700, "a", "A")))
    heights = sorted(bar.get_height() for bar in figure.axes[0].patches)
    assert len(heights) == 2
    assert heights[0] >= 0.05


def test_one_cause_of_two_wordings_keeps_one_lane():
    figure = causes_picture(failed((1, "a", "of nightly"), (2, "a", "of hourly")))
    assert names(figure) == ["of hourly ×2"]


def test_more_causes_than_lanes_share_the_last():
    rows = [(place, f"c{place}", f"Cause {place}") for place in range(20)]
    figure = causes_picture(failed(*rows, (1, "", "unknown")))
    assert len(names(figure)) == MOST_LANES
    assert names(figure)[-2:] == ["other causes ×14", "unknown ×1"]


def test_a_failure_of_unknown_time_is_counted_and_said():
    figure = causes_picture(failed((1, "a", "A"), (None, "a", "A")))
    assert names(figure) == ["A ×2"]
    assert dots(figure) == {COLOURS[0]: 1}
    assert figure.axes[0].get_title(loc="left") == "2 failures, 1 cause; 1 at an unknown time"


def test_no_failure_is_said():
    assert causes_picture(failed()).axes[0].texts[0].get_text() == "No failure is known in this time."


def test_times_are_written_in_the_readers_zone():
    figure = causes_picture(failed((1, "a", "A"), days=1), zone=ZoneInfo("Asia/Tokyo"))
    assert figure.axes[0].get_xlabel() == "01 Nov 2026 to 02 Nov 2026, Asia/Tokyo (UTC+09:00)"


def many(number):
    return [(place * 720 / number, f"c{place % 9}", f"{LONG} {place % 9}") for place in range(number)]


@pytest.mark.parametrize("number", [1, 9, 10_000])
@pytest.mark.parametrize("days", [1, 3, 30, 89])
def test_no_two_labels_lie_on_each_other_and_all_are_in_the_picture(number, days):
    figure = causes_picture(failed(*many(number), days=days))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    dates = [tick.label1 for tick in axes.xaxis.get_major_ticks() if left <= tick.get_loc() <= right]
    for labels in (dates, axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        assert boxes
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
        assert all(box.x0 >= -1 and box.x1 <= 901 for box in boxes)
    title = axes.title.get_window_extent()
    assert title.x1 <= 901


def test_no_two_lanes_share_a_colour():
    assert len({*COLOURS, GREY}) == len(COLOURS) + 1


def test_it_is_a_picture_900_pixels_wide():
    picture = io.BytesIO()
    causes_picture(failed((1, "a", "A"))).savefig(picture, format="png")
    assert int.from_bytes(picture.getvalue()[16:20]) == 900
