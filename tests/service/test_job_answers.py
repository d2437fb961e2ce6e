"""Jobs over HTTP once they are accepted: waited for, looked at, ended, and their results."""

import asyncio

import pytest

from vectrahub.tests.service.job_server import PNG, THEIRS, ask, inputs, job_folders, picture, run, workflow
from vectrahub.vectrahub_client.service.problems import Problem


def test_waiting_gives_the_end(tmp_path):
    async def story(server):
        waiting = asyncio.create_task(server.ask("POST", "/workflows?wait=30", json=workflow()))
        while not server.runner.waiting:
            await asyncio.sleep(0.01)
        await server.runner.complete(server.runner.waiting[0], {"a.txt": ("text/plain", b"x")})
        status, job, _ = await waiting
        assert (status, job["state"], job["progress"]) == (200, "completed", 1.0)

    run(tmp_path, story)


def test_waiting_ends_before_the_job(tmp_path):
    status, job, _ = ask(tmp_path, "POST", "/workflows?wait=0.1", json=workflow())
    assert (status, job["state"]) == (202, "queued")


@pytest.mark.parametrize("query", ["wait=-1", "wait=61", "wait=nan", "wait=1e1", "wait=", "wait=1&wait=1", "wat=1"])
def test_another_wait_is_a_422_and_no_job(tmp_path, query):
    async def story(server):
        assert (await server.ask("POST", f"/workflows?{query}", json=workflow()))[0] == 422
        assert not server.runner.waiting

    run(tmp_path, story)


def test_another_tokens_job_is_not_there(tmp_path):
    async def story(server):
        _, job, _ = await server.order()
        path = f"/jobs/{job['job_id']}"
        for method, end in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("GET", "/events"),
            ("GET", "/outputs/a"),
        ):
            assert (await server.ask(method, path + end, headers=THEIRS))[0] == 404
        assert (await server.ask("GET", "/jobs", headers=THEIRS))[1]["jobs"] == []
        assert (await server.ask("GET", path, bare=True))[0] == 200  # an admin
        assert server.runner.waiting == [job["job_id"]]

    run(tmp_path, story)


def test_jobs_are_listed_in_pages(tmp_path):
    async def story(server):
        ids = [(await server.order())[1]["job_id"] for _ in range(5)]
        await server.runner.complete(ids[0], {})
        seen, before = [], ""
        for _ in range(4):
            _, page, _ = await server.ask("GET", f"/jobs?limit=2{before}")
            seen += [job["job_id"] for job in page["jobs"]]
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        assert seen == ids[::-1]
        done = (await server.ask("GET", "/jobs?state=completed"))[1]["jobs"]
        assert [job["job_id"] for job in done] == ids[:1]

    run(tmp_path, story)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "state=gone", "before=0", "before=99999999999999999999", "a=b"]
)
def test_other_questions_are_a_422(tmp_path, query):
    assert ask(tmp_path, "GET", f"/jobs?{query}")[0] == 422


@pytest.mark.parametrize(
    "job_id",
    ["x", "..", "%2e%2e%2fjobs", "..%2f..%2f", "a%00b", "%ff", "ABCDEFAB-0000-4000-8000-000000000000", "%F0%9F%98%80"],
)
def test_ids_that_are_none_are_a_404(tmp_path, job_id):
    async def story(server):
        for method, end in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("GET", "/events"),
            ("GET", "/outputs/a"),
        ):
            status = (await server.ask(method, f"/jobs/{job_id}{end}"))[0]
            assert status in (404, 405) if ".." in job_id else status == 404

    run(tmp_path, story)


def test_cancel_and_delete(tmp_path):
    async def story(server):
        _, job, _ = await server.order(json={**workflow(), "files": {"Load": PNG}})
        path = f"/jobs/{job['job_id']}"
        status, body, _ = await server.ask("DELETE", path)
        assert status == 409 and "queued" in body["detail"]
        assert (await server.ask("POST", f"{path}/cancel"))[1]["state"] == "cancelled"
        assert (await server.ask("POST", f"{path}/cancel"))[:1] == (200,)
        assert inputs(server, job["job_id"])
        assert (await server.ask("DELETE", path))[0] == 204
        assert not inputs(server, job["job_id"])
        assert (await server.ask("DELETE", path))[0] == (await server.ask("GET", path))[0] == 404

    run(tmp_path, story)


RESULTS = {
    "a b.png": ("image/png", picture()),
    "drawing.svg": ("image/svg+xml", b"<svg/>"),
    "page.html": ("text/html", b"<script>alert(1)</script>"),
    '\u00fc".txt': ("text/plain", b"0123456789"),
}


def test_results_are_shown_or_saved_and_never_run(tmp_path):
    async def story(server):
        _, job, _ = await server.order()
        await server.runner.complete(job["job_id"], RESULTS)
        _, job, _ = await server.ask("GET", f"/jobs/{job['job_id']}")
        how = {}
        for output in job["outputs"]:
            path = output["url"].removeprefix("/vectrahub/v1")
            status, data, headers = await server.ask("GET", path)
            kind, content = RESULTS[output["name"]]
            assert (status, data, headers["Content-Type"]) == (200, content, kind)
            assert "sandbox" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            how[output["name"]] = headers["Content-Disposition"]
            status, data, headers = await server.ask("HEAD", path)
            assert (status, data, headers["Content-Length"]) == (200, b"", str(len(content)))
        assert [name for name, text in how.items() if text.startswith("inline")] == ["a b.png"]
        assert how['\u00fc".txt'] == "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%BC%22.txt"
        part = await server.ask("GET", path, headers={"Range": "bytes=2-4"})
        assert part[:2] == (206, b"234")
        assert (await server.ask("GET", path, headers={"Range": "bytes=50-"}))[0] == 416

    run(tmp_path, story)


@pytest.mark.parametrize(
    "name", ["nothing", "..%2f..%2fjobs.sqlite", "%2e%2e", "a%00", "%2fetc%2fpasswd", "a.png%2f..%2fb"]
)
def test_other_names_of_results_are_a_404(tmp_path, name):
    async def story(server):
        _, job, _ = await server.order()
        await server.runner.complete(job["job_id"], RESULTS)
        assert (await server.ask("GET", f"/jobs/{job['job_id']}/outputs/{name}"))[0] == 404

    run(tmp_path, story)


def test_a_result_whose_file_is_gone_is_a_404(tmp_path):
    async def story(server):
        _, job, _ = await server.order()
        await server.runner.complete(job["job_id"], RESULTS)
        server.service.files.clear_outputs(job["job_id"])
        assert (await server.ask("GET", f"/jobs/{job['job_id']}/outputs/page.html"))[0] == 404

    run(tmp_path, story)


def test_what_the_runner_cannot_do_is_refused_without_a_trace(tmp_path):
    async def story(server):
        async def plan(_job):
            raise Problem(422, "bad-value", "No", "there is no such node")

        server.runner.plan = plan
        assert (await server.order(json={**workflow(), "files": {"Load": PNG}}))[0] == 422
        assert not job_folders(server) and server.service.unfinished() == 0

    run(tmp_path, story)


def test_refusals_are_counted_once(tmp_path):
    async def story(server):
        await server.order(json={})
        await server.order()
        await server.order(headers={"Idempotency-Key": "k"})
        return server.service.metrics.text().decode()

    counted = run(tmp_path, story, limits={"queue": 1})
    assert 'vectrahub_jobs_refused_total{kind="bad-value"} 1.0' in counted
    assert 'vectrahub_jobs_refused_total{kind="busy"} 1.0' in counted
