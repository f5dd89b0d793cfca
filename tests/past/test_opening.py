"""From the parameter ``source`` to where facts are read."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past import opening
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.receipts import Receipts
from ecs_runbook.past.sources import LookupEvents, Together, Window
from ecs_runbook.past.stopped_tasks import StoppedTasks

HOME, AWAY = Place("111122223333", "eu-west-2"), Place("444455556666", "us-east-1")
AWS = SimpleNamespace()  # nobody is asked anything
NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)


def open_source(*given, **more):
    return opening.open_source(*given, window=Window(NOW - timedelta(days=14), NOW), **more)


@pytest.fixture
def fleet():
    return Fleet((HOME,), Gate(), asked=(HOME, AWAY))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))
    (tmp_path / "logs").mkdir()
    return tmp_path


def test_each_form_opens_its_source(fleet, home):
    assert open_source("lookup", AWS, fleet).source == LookupEvents(fleet)
    for place in ("logs", str(home / "logs"), "s3://trail/AWSLogs"):
        assert open_source(place, AWS, fleet).source == LogFiles(place, AWS, accounts=[], regions=[])
    assert open_source("archive:logs", AWS, fleet).source == Archive("logs", AWS, accounts=[], regions=[])
    assert open_source("receipts:logs", AWS, fleet).source == Receipts("logs")
    asked = open_source("athena:s3://trail", AWS, fleet, athena_output="s3://results", most_dollars=0.5).source
    assert isinstance(asked, Athena)
    assert (asked.place, asked.output, asked.most_dollars, asked.gate) == (
        "s3://trail",
        "s3://results",
        0.5,
        fleet.gate,
    )


def test_files_tell_of_everybody_unless_accounts_or_regions_were_named(fleet):
    source = open_source("logs", AWS, fleet, everybody=False).source
    assert (source.accounts, source.regions) == ([HOME.account, AWAY.account], [HOME.region, AWAY.region])


def test_the_ends_of_tasks_join_whatever_is_read(fleet):
    opened = open_source("lookup", AWS, fleet, ends="log-group:/aws/events/ends")
    assert isinstance(opened.source, Together)
    assert opened.source.sources == [LookupEvents(fleet), StoppedTasks("log-group:/aws/events/ends", AWS)]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"source": "lokup"}, "source = 'lokup': there is no such folder; write auto, lookup, a folder"),
        ({"source": ""}, "source = '': there is no such folder; write auto"),
        ({"source": "gs://bucket"}, "source = 'gs://bucket': an address in S3 is written s3://bucket/prefix"),
        ({"source": "s3://A_B"}, "source = 's3://A_B': an address in S3 is written s3://bucket/prefix"),
        ({"source": "athena:logs"}, "source = 'athena:logs': write athena:s3://bucket/prefix, where the log files are"),
        ({"source": "receipts:s3://bucket"}, "source = 'receipts:s3://bucket': receipts are read from a folder, runs"),
        ({"source": "archive:nowhere"}, "source = 'archive:nowhere': there is no such folder"),
        ({"source": "lookup", "archive": "gs://x"}, "archive = 'gs://x': name a folder, or s3://bucket/prefix"),
        ({"source": "lookup", "ends": "nowhere"}, "ends = 'nowhere': there is no such folder; write log-group:<name>"),
    ],
)
def test_what_names_no_source_is_refused_with_field_value_and_mend(fleet, given, fault):
    with pytest.raises(SpecError) as refused:
        open_source(given.pop("source"), AWS, fleet, **given)
    assert fault in str(refused.value)
