"""Messages of a kernel become outputs of cells, as a front end would keep them."""

from ecs_runbook.reports.recording import Recording


def recorded(*messages):
    recording = Recording([])
    recording.take("execute_input", "a", {"code": "first", "execution_count": 1})
    for message in messages:
        recording.take(*message)
    return recording.cells


def shown(text, display=""):
    transient = {"display_id": display} if display else {}
    return {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def texts(cell):
    return [output["data"]["text/plain"] for output in cell.outputs]


def test_printing_in_pieces_is_one_output_for_each_stream():
    [cell] = recorded(
        ("stream", "a", {"name": "stdout", "text": "1\n"}),
        ("stream", "a", {"name": "stdout", "text": "2\n"}),
        ("stream", "a", {"name": "stderr", "text": "3\n"}),
    )
    assert [(output["name"], output["text"]) for output in cell.outputs] == [("stdout", "1\n2\n"), ("stderr", "3\n")]


def test_a_line_that_is_overwritten_keeps_its_last_state():
    [cell] = recorded(
        ("stream", "a", {"name": "stdout", "text": "10 %\r"}),
        ("stream", "a", {"name": "stdout", "text": "20 %\rdone\r\n"}),
    )
    assert cell.outputs[0]["text"] == "done\r\n"


def test_a_display_is_updated_where_it_stands_even_from_a_later_cell():
    first, second = recorded(
        ("display_data", "a", shown("0 %", "bar")),
        ("display_data", "a", shown("other")),
        ("execute_input", "b", {"code": "second", "execution_count": 2}),
        ("update_display_data", "b", shown("100 %", "bar")),
    )
    assert texts(first) == ["100 %", "other"]
    assert second.outputs == []


def test_an_output_that_comes_late_belongs_to_its_own_cell():
    first, second = recorded(
        ("execute_input", "b", {"code": "second", "execution_count": 2}),
        ("stream", "a", {"name": "stdout", "text": "late"}),
    )
    assert first.outputs[0]["text"] == "late"
    assert second.outputs == []


def test_clearing_takes_away_at_once_or_with_the_next_output():
    [cell] = recorded(
        ("display_data", "a", shown("1")),
        ("clear_output", "a", {"wait": True}),
    )
    assert texts(cell) == ["1"]
    [cell] = recorded(
        ("display_data", "a", shown("1")),
        ("clear_output", "a", {"wait": True}),
        ("display_data", "a", shown("2")),
    )
    assert texts(cell) == ["2"]
    [cell] = recorded(("display_data", "a", shown("1")), ("clear_output", "a", {"wait": False}))
    assert texts(cell) == []


def test_an_error_is_known_as_one():
    [cell] = recorded(("error", "a", {"ename": "ValueError", "evalue": "no", "traceback": ["…"], "more": 1}))
    assert cell.error == {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["…"]}


def test_a_result_keeps_its_number():
    [cell] = recorded(("execute_result", "a", {"execution_count": 1, "data": {"text/plain": "5"}, "metadata": {}}))
    assert cell.outputs == [
        {"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": "5"}, "metadata": {}}
    ]


def test_what_answers_another_request_is_passed_over():
    [cell] = recorded(
        ("stream", "stranger", {"name": "stdout", "text": "1"}), ("status", "a", {"execution_state": "busy"})
    )
    assert cell.outputs == []


def test_a_pictures_bytes_are_kept_as_the_notebook_format_keeps_them():
    picture = {"data": {"image/png": b"\x89PNG", "text/plain": "picture"}, "metadata": {}, "transient": {}}
    [cell] = recorded(("display_data", "a", picture))
    assert cell.outputs[0]["data"] == {"image/png": "iVBORw==", "text/plain": "picture"}


class Session:
    """What of a kernel's session the recording stands at: it sends what it is given."""

    def __init__(self):
        self.sent = []

    def send(self, _, what, content=None, *__, **___):
        message = what if isinstance(what, dict) else {"header": {"msg_type": what}, "content": content}
        self.sent.append(message["content"])
        return message | {"parent_header": {"msg_id": "a"}}


class Shell:
    def __init__(self, session):
        self.display_pub = type("Publisher", (), {"session": session})

    def get_parent(self):
        return {"header": {"msg_id": "a"}}


def test_what_leaves_the_kernel_is_rewritten_in_both_forms_that_kernels_send_and_recorded_so():
    session = Session()
    recording = Recording([], lambda kind, content: {**content, "text": f"{kind}: hidden"})
    recording.start(Shell(session), "show()", 1)
    session.send(None, "stream", {"name": "stdout", "text": "payroll"}, {}, ident=b"x")
    session.send(None, {"header": {"msg_type": "stream"}, "content": {"name": "stderr", "text": "payroll"}}, ident=b"x")
    session.send(None, "status")
    recording.stop()
    session.send(None, "stream", {"name": "stdout", "text": "payroll"})
    assert [content and content["text"] for content in session.sent] == [
        "stream: hidden",
        "stream: hidden",
        None,
        "payroll",
    ]
    assert [output["text"] for output in recording.cells[0].outputs] == ["stream: hidden", "stream: hidden"]
