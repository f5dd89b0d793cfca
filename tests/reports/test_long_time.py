"""The pictures and tables of a long time: the worst on top, nothing cut off, and nothing at all is said."""

import io
from datetime import UTC, datetime, timedelta

import matplotlib.image as mpl_image
import pytest
from made_history import (
    CAPACITY,
    DENIED,
    NOW,
    PLACES,
    flat,
    fleet,
    known,
    looked,
    ran,
    refused,
    registered,
    target,
    told,
)
from matplotlib.colors import to_hex

from ecs_runbook.past.questions import history
from ecs_runbook.past.sources import Broken
from ecs_runbook.past.verdict import judge_history
from ecs_runbook.reports.causes import COLOURS
from ecs_runbook.reports.lanes import MOST_LANES
from ecs_runbook.reports.long_tables import MOST_ROWS, TABLES, in_short, long_table
from ecs_runbook.reports.long_time import (
    failures_by_week,
    failures_that_last,
    never_ran,
    revisions_over_time,
    waits_for_first_run,
)
from ecs_runbook.reports.timeline import BLUE, GREY, ORANGE, PURPLE
from ecs_runbook.verdicts.verdict import Verdict

PICTURES = (revisions_over_time, failures_by_week, waits_for_first_run, never_ran, failures_that_last)
SHOWN = [one for one in TABLES if one != "failures"]


def day(number, hour=2):
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def crosses(figure):
    """How many crosses each lane has, by its family; a lane's crosses hang below its middle."""
    lanes = [label.get_text().split(" ")[0] for label in figure.axes[0].get_yticklabels()]
    heights = dict(zip(lanes, figure.axes[0].get_yticks(), strict=True))
    found = {}
    for some in figure.axes[0].collections:
        if to_hex(some.get_edgecolor()[0]).upper() == PURPLE:
            for _, at in some.get_offsets():
                lane = min(heights, key=lambda one: abs(heights[one] - at))
                found[lane] = found.get(lane, 0) + 1
    return found


def past(*facts, rows=None, **more):
    return looked(flat(facts), rows, **more)[2]


@pytest.fixture(scope="module")
def many():
    """Ninety days of two hundred families in two accounts, each of which runs every fourth day."""
    facts, rows = fleet(200, 90, every=4)
    return looked(facts, rows, days=90.0)


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()][::-1]


def bars(figure):
    """Lane, from the top, and colour of each bar."""
    axes = figure.axes[0]
    lanes = len(names(figure))
    return [
        (lanes - 1 - round(line.get_ydata()[0]), to_hex(line.get_color()).upper())
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_linewidth() == 7
    ]


def title(figure):
    return figure.get_suptitle() or figure.axes[0].get_title(loc="left")


# -------- each picture


def test_a_family_that_runs_stale_is_on_top_and_its_bar_is_orange_and_below_its_line():
    facts = [
        [registered(day(1, 0), name) for name in ("a", "b")],
        [registered(day(2, 12), name, 2) for name in ("a", "b")],
        [ran(day(number), "a", 1 if number < 3 else 2) for number in (1, 2, 3, 4)],
        [ran(day(number), "b", 1) for number in (1, 2, 3, 4)],
        ran(day(3), "unknown"),
    ]
    figure = revisions_over_time(past(*facts))
    assert names(figure) == ["b", "unknown", "a"]
    assert bars(figure) == [(0, BLUE), (0, ORANGE), (1, GREY), (2, BLUE), (2, BLUE)]
    assert title(figure) == "The newest run took: 1 an older revision; 1 nobody knows which; 1 the latest"
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "1", "2"]


def test_a_start_that_failed_stands_in_its_own_family_s_lane_or_in_all_of_its_schedule_if_it_shows_none():
    both = [ran(day(1), "a", schedule="nightly"), ran(day(2), "b", schedule="nightly")]
    told = refused(day(3), "a", schedule="nightly")
    figure = revisions_over_time(past(*both, told))
    assert crosses(figure) == {"a": 1}
    untold = refused(day(4), "a", schedule="nightly") | {"requested": "", "named": "", "executed": ""}
    assert crosses(revisions_over_time(past(*both, told, untold))) == {"a": 2, "b": 1}


def test_one_run_is_a_dot_that_can_be_seen():
    figure = revisions_over_time(past(registered(day(1, 0)), ran(day(2))))
    figure.savefig(picture := io.BytesIO(), format="png")
    pixels = mpl_image.imread(io.BytesIO(picture.getvalue()))[: int(figure.bbox.height / 2)]
    assert 30 < ((pixels[:, :, :3] * 255).round() == (0x00, 0x72, 0xB2)).all(axis=2).sum() < 200


def test_failures_are_stacked_by_week_and_a_week_without_any_has_its_place():
    facts = [
        refused(day(2), error=DENIED),
        [refused(day(17), error=DENIED), refused(day(18), error=CAPACITY, status="FAILED TO START")],
    ]
    figure = failures_by_week(past(*facts, days=28.0))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["26 Oct", "02 Nov", "09 Nov", "16 Nov", "23 Nov"]
    heights = {to_hex(some[0].get_facecolor()).upper(): [bar.get_height() for bar in some] for some in axes.containers}
    assert heights == {COLOURS[0]: [0, 1, 0, 1, 0], COLOURS[1]: [0, 0, 0, 1, 0]}
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    assert title(figure) == "3 failures of 2 causes"


def test_the_wait_for_the_first_run_is_drawn_and_the_middle_one_is_told():
    facts = [
        registered(day(1, 0)),
        ran(day(1, 3)),
        registered(day(2, 0), revision=2),
        ran(day(2, 5), revision=2),
        registered(day(3, 0), revision=3),
    ]
    figure = waits_for_first_run(past(*facts))
    assert title(figure) == "3 revisions: half ran within 3.0 hours; 1 waits"
    points = sorted(float(some.get_offsets()[0][0]) for some in figure.axes[0].collections)
    assert points == [3.0, 5.0, 21 * 24 + 7.0]


def test_what_never_ran_is_drawn_with_how_often_it_was_due_and_how_often_it_failed_to_start():
    rows = [target("silent"), target("denied"), target("off", enabled=False)]
    figure = never_ran(past([refused(day(number), "denied", error=DENIED) for number in (3, 4)], rows=rows))
    assert names(figure) == ["denied", "silent"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["30×, 2 failed to start", "30×, no start seen"]


def test_rows_of_failures_that_last_are_orange_and_on_top():
    facts = [
        [ran(day(number), "ended", code=1) for number in range(1, 20)],
        ran(day(20), "ended", code=0),
        [ran(day(number), "lasts", code=1) for number in (22, 23)],
    ]
    figure = failures_that_last(past(*facts))
    assert names(figure) == ["lasts", "ended"]
    assert bars(figure)[0] == (0, ORANGE)
    assert title(figure) == "1 row of failures lasts; the longest took 18.0 days"


# -------- nothing, and very much


@pytest.mark.parametrize(
    ("facts", "rows", "words"),
    [
        (
            [],
            None,
            ["No run is known", "No run is known", "No revision is known", "It was not asked", "No run is known"],
        ),
        (
            [],
            [],
            [
                "No run is known",
                "No run is known",
                "No revision is known",
                "Nothing is on a schedule",
                "No run is known",
            ],
        ),
        (
            [ran(day(2), code=0)],
            [target("nightly")],
            [
                None,
                "No failure is known",
                "No revision is known",
                "All that were due placed a task",
                "No failure is known",
            ],
        ),
    ],
)
def test_nothing_is_said_in_each_picture(facts, rows, words):
    history = past(*facts, rows=rows)
    for draw, wanted in zip(PICTURES, words, strict=True):
        if wanted is not None:
            (text,) = draw(history).axes[0].texts
            assert text.get_text().startswith(wanted), draw


@pytest.mark.parametrize("draw", PICTURES, ids=lambda draw: draw.__name__)
def test_of_two_hundred_families_the_worst_are_drawn_and_all_words_are_in_the_picture(draw, many):
    figure = draw(many[2])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    whole = figure.bbox
    first, last = axes.get_xlim()
    ticks = [text for text in axes.get_xticklabels() if first <= text.get_position()[0] <= last]
    for text in [*axes.texts, *axes.get_yticklabels(), *ticks, figure._suptitle, axes._left_title]:
        if text is not None and text.get_text():
            box = text.get_window_extent()
            assert box.x0 >= whole.x0 - 1, text
            assert box.x1 <= whole.x1 + 1, text
    assert len(axes.get_yticklabels()) <= MOST_LANES
    assert figure.get_size_inches()[0] == 9


def test_more_lanes_than_an_eye_takes_in_are_in_the_table(many):
    figure = revisions_over_time(many[2])
    lanes = len(many[2].stretches.drop_duplicates(["account", "region", "family", "schedule"]))
    assert len(names(figure)) == MOST_LANES
    assert (
        figure.axes[0].get_title(loc="left") == f"the worst {MOST_LANES}; {lanes - MOST_LANES} more lanes in the table"
    )
    assert all(name.split("\n")[1] in {f"{one.account} {one.region}" for one in PLACES} for name in names(figure))


@pytest.mark.parametrize("which", SHOWN)
def test_a_table_has_at_most_so_many_rows_and_says_where_all_are(which, many):
    shown = long_table(many[2], which).html
    rows = shown.count("<tr>") - 1
    total = len(getattr(many[2], which))
    assert rows == min(total, MOST_ROWS)
    assert (f"all are in {which}.csv" in shown) == (total > MOST_ROWS)


@pytest.mark.parametrize("which", SHOWN)
def test_an_empty_table_says_that_it_is(which):
    assert str(long_table(past(rows=[]), which)) == "Nothing."


def test_the_table_of_revisions_begins_with_what_is_stale_to_this_day(many):
    html = long_table(many[2], "stretches").html
    stale = int((many[2].stretches["newest"] & (many[2].stretches["state"] == "STALE")).sum())
    assert stale > 5
    assert all("STALE" in row and "to this day" in row for row in html.split("<tr>")[2 : 2 + stale])


def test_no_name_becomes_markup():
    odd = "<script>alert(1)</script>"
    history = past(registered(day(1, 0), odd), ran(day(2), odd, code=1), rows=[target(odd)])
    shown = "".join(long_table(history, which).html for which in SHOWN)
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown


def test_in_short_has_the_worst_first_and_names_every_file_that_could_not_be_read_up_to_a_point():
    broken = [Broken(f"{number:02}.json.gz", "it is cut off") for number in range(25)]
    question, now, _ = looked([], [target("nightly")])
    facts = flat([registered(day(1, 0)), registered(day(1, 1), revision=2), ran(day(2))])
    history_of = history(told(facts, broken=broken), known([target("nightly")]), question)
    verdict = Verdict("65_history", "aws", "1" * 12, "eu-west-2", NOW, tuple(judge_history(history_of, now, question)))
    html = in_short(history_of, verdict).html
    assert html.index(">NG<") < html.index(">SKIP<") < html.index(">OK<")
    assert "25 files or records could not be read: nothing below has them." in html
    assert html.count("it is cut off") >= 20
    assert "and 5 more, in receipt.json" in html
    assert "Of 1 task nobody told how they ended" in html


def test_pictures_of_days_and_of_years_have_times_that_can_be_told_apart():
    for days in (0.5, 3.0, 30.0, 1200.0):
        history = past(registered(NOW - timedelta(hours=8)), ran(NOW - timedelta(hours=6)), days=days)
        figure = revisions_over_time(history)
        figure.draw_without_rendering()
        told_apart = [label.get_text() for label in figure.axes[0].get_xticklabels()]
        assert len(set(told_apart)) == len(told_apart) > 1
