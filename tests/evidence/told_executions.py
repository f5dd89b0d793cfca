"""Executions of a state machine as Step Functions tells them, account 111122223333: times are made of minutes."""

import json
from datetime import UTC, datetime, timedelta

MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:nightly"
SCHEDULE = "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/nightly"
ARN = "arn:aws:ecs:eu-west-1:111122223333"
FIVE = datetime(2026, 11, 24, 17, tzinfo=UTC)
DETAILS = {
    "TaskStateEntered": "stateEnteredEventDetails",
    "ChoiceStateEntered": "stateEnteredEventDetails",
    "SucceedStateEntered": "stateEnteredEventDetails",
    "WaitStateEntered": "stateEnteredEventDetails",
}


def at(minutes):
    return FIVE + timedelta(minutes=minutes)


def millis(time):
    return int(time.timestamp() * 1000)


def a_task(number, *, revision=6, began, ended=None, code=0, **more):
    """A task in Step Functions' casing, with its times in milliseconds."""
    stopped = {
        "LastStatus": "STOPPED",
        "StopCode": "EssentialContainerExited",
        "StoppedReason": "Essential container in task exited",
        "StartedAt": millis(began + timedelta(seconds=20)),
    }
    standing = {"LastStatus": "PROVISIONING"}
    container = {"Name": "main", "Image": "app:1", **({} if ended is None or code is None else {"ExitCode": code})}
    return {
        "TaskArn": f"{ARN}:task/batch/{number:032x}",
        "TaskDefinitionArn": f"{ARN}:task-definition/nightly:{revision}",
        "ClusterArn": f"{ARN}:cluster/batch",
        "StartedBy": "AWS Step Functions",
        "LaunchType": "FARGATE",
        "CreatedAt": millis(began),
        "Containers": [container],
        **(stopped | {"StoppedAt": millis(ended)} if ended else standing),
        **more,
    }


class History:
    """The events of one execution in the making."""

    def __init__(self, *, given=None):
        self.events = []
        self.add("ExecutionStarted", 0, input=json.dumps(given or {}), roleArn="arn:aws:iam::111122223333:role/machine")

    def add(self, kind, minutes, *, after=None, **details):
        number = len(self.events) + 1
        field = DETAILS.get(kind, kind[0].lower() + kind[1:] + "EventDetails")
        event = {"id": number, "previousEventId": number - 1 if after is None else after, "type": kind}
        self.events.append(event | {"timestamp": at(minutes), field: details})
        return number

    def scheduled(self, minutes, *, resource="runTask.sync", service="ecs", after=None):
        asked = json.dumps({"Cluster": "batch", "TaskDefinition": f"{ARN}:task-definition/nightly"})
        number = self.add(
            "TaskScheduled", minutes, after=after, resourceType=service, resource=resource, parameters=asked
        )
        return self.add("TaskStarted", minutes, after=number, resourceType=service, resource=resource)

    def submitted(self, minutes, task, *, after=None):
        output = json.dumps({"Tasks": [task], "Failures": []})
        return self.add("TaskSubmitted", minutes, after=after, output=output)

    def ran(self, minutes, number, *, lasted=5, code=0, revision=6):
        """One try of which a task came, well or badly."""
        began, ended = at(minutes), at(minutes + lasted)
        self.scheduled(minutes)
        self.submitted(minutes, a_task(number, revision=revision, began=began))
        task = json.dumps(a_task(number, revision=revision, began=began, ended=ended, code=code))
        if code == 0:
            self.add("TaskSucceeded", minutes + lasted, output=task)
        else:
            self.add("TaskFailed", minutes + lasted, error="States.TaskFailed", cause=task)
        return self

    def refused(self, minutes, error, cause, kind="TaskFailed"):
        """One try that was refused."""
        self.scheduled(minutes)
        self.add(kind, minutes, error=error, cause=cause)
        return self


def listed(name="one", *, status="SUCCEEDED", began=0, ended=10):
    told = {
        "executionArn": f"{MACHINE.replace('stateMachine', 'execution')}:{name}",
        "stateMachineArn": MACHINE,
        "name": name,
        "status": status,
        "startDate": at(began),
    }
    return told | ({} if ended is None else {"stopDate": at(ended)})


class PaperStepFunctions:
    """Step Functions that answers from lists, in pages, and counts the calls."""

    def __init__(self, *told, page=100):
        self.told = [(one, history.events if isinstance(history, History) else history) for one, history in told]
        self.page, self.calls = page, []

    def list_executions(self, **asked):
        self.calls.append("ListExecutions")
        # The newest first: those that ended by their stop date (botocore).
        ordered = sorted((one for one, _ in self.told), key=lambda one: one.get("stopDate", one["startDate"]))[::-1]
        mine = [one for one in ordered if one["stateMachineArn"] == asked["stateMachineArn"]]
        return self._page("executions", mine, asked)

    def get_execution_history(self, **asked):
        self.calls.append("GetExecutionHistory")
        (events,) = [events for one, events in self.told if one["executionArn"] == asked["executionArn"]]
        return self._page("events", events, asked)

    def _page(self, name, whole, asked):
        first = int(asked.get("nextToken", 0))
        last = first + min(asked["maxResults"], self.page)
        return {name: whole[first:last]} | ({"nextToken": str(last)} if last < len(whole) else {})
