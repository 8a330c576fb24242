"""Goal: whatever an endpoint or a user does wrong ends in an answer by another way or in one sentence
and the documented exit code, and every receipt adds up.
Method: the real program against scripted endpoints on loopback."""

import json
import os
import signal
import subprocess
import threading
import unittest

from case import QUESTION, WithStub
from stub import PROGRAM, Stub, endpoint, make_certificate, run


class Answers(WithStub):
    def test_a_planned_question_uses_both_tiers_and_adds_up(self):
        code, receipt, _ = self.ask(self.two(), "--plan", "always", "--policy", "difficulty")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "answered")
        self.assertEqual(receipt["answer"], "The answer is 7.\nAnswer: 7")
        self.assertEqual([s["id"] for s in receipt["plan"]["steps"]], ["1", "2", "3", "4"])
        self.assertEqual({s["tier"] for s in receipt["subtasks"]}, {"edge", "cloud"})
        # Three calls to the cloud at most; each 109 tokens: 100 * $2 + 9 * $8 per million.
        cloud = [c for c in receipt["calls"] if c["tier"] == "cloud"]
        self.assertTrue(cloud)
        for call in cloud:
            self.assertEqual(call["pico_usd"], 100 * 2_000_000 + 9 * 8_000_000)

    def test_siblings_run_at_the_same_time(self):
        code, receipt, _ = self.ask(self.two(), "--plan", "always", "--policy", "edge")
        self.assertEqual(code, 0)
        by_id = {s["id"]: s for s in receipt["subtasks"]}
        self.assertLess(by_id["2"]["started_ms"], by_id["3"]["finished_ms"])
        self.assertLess(by_id["3"]["started_ms"], by_id["2"]["finished_ms"])
        self.assertGreaterEqual(by_id["4"]["started_ms"], max(by_id["2"]["finished_ms"], by_id["3"]["finished_ms"]))

    def test_piped_output_is_the_answer_alone(self):
        code, out, err = run("ask", "--config", self.two(), "--plan", "never", "How many is 3 + 4?")
        self.assertEqual((code, out), (0, "The answer is 7.\nAnswer: 7\n"))
        self.assertEqual(err, "")

    def test_a_short_question_goes_out_whole_and_says_why(self):
        code, receipt, _ = self.ask(self.two(), question="What is the capital of France?")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["plan"]["source"], "none")
        self.assertFalse(receipt["plan"]["gate"]["plan"])
        self.assertIn("short", receipt["plan"]["gate"]["reason"])
        self.assertEqual(len(receipt["subtasks"]), 1)

    def test_standard_input_and_several_lines(self):
        config = self.two()
        for arguments in (["-"], []):
            code, out, _ = run("ask", "--config", config, "--json", *arguments, stdin="two\nlines?\n".encode())
            self.assertEqual(code, 0)
            self.assertEqual(json.loads(out)["outcome"], "answered")
        self.assertIn("two\nlines?", self.stub.requests[-1]["messages"][-1]["content"])

    def test_a_plan_from_a_file_is_used(self):
        path = os.path.join(self.folder.name, "plan.json")
        steps = [{"id": "a", "role": "explain", "task": "What?", "relies_on": []},
                 {"id": "b", "role": "generate", "task": "So?", "relies_on": ["a"]}]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"steps": steps}, file)
        code, receipt, err = self.ask(self.two(), "--plan", path)
        self.assertEqual(code, 0, err)
        self.assertEqual(receipt["plan"]["source"], "file")
        self.assertEqual([s["id"] for s in receipt["subtasks"]], ["a", "b"])
        self.assertFalse([c for c in receipt["calls"] if c["kind"] == "planner"])

    def test_a_useless_plan_is_asked_for_once_more_and_then_the_question_goes_whole(self):
        code, receipt, _ = self.ask(self.two(edge="bad-plan"), "--plan", "always")
        self.assertEqual(code, 0)
        self.assertEqual(len([c for c in receipt["calls"] if c["kind"] == "planner"]), 2)
        self.assertEqual(receipt["plan"]["source"], "none")
        self.assertEqual(receipt["outcome"], "degraded")
        second = self.stub.asked("bad-plan")[1]["messages"][-1]["content"]
        self.assertIn("could not be used", second)

    def test_a_server_that_answers_whole_is_understood(self):
        code, receipt, _ = self.ask(self.two(cloud="whole"), "--plan", "never", "--policy", "cloud")
        self.assertEqual((code, receipt["answer"]), (0, "Answer: 7"))

    def test_the_key_is_sent_and_never_shown(self):
        config = self.two(cloud_extra='api_key_env = "TEST_KEY"')
        secret = "sk-very-secret-0123456789"
        code, out, err = run("ask", "--config", config, "--json", "--verbose", "--policy", "cloud", QUESTION,
                             env={"TEST_KEY": secret})
        self.assertEqual(code, 0)
        self.assertIn(f"Bearer {secret}", [h.get("Authorization") for h in self.stub.headers])
        self.assertNotIn(secret, out + err)


class Trouble(WithStub):
    def test_every_kind_of_cloud_trouble_ends_on_the_edge(self):
        for trouble in ("unauthorized", "missing", "server-error", "busy", "cut", "not-json", "bad-chunk", "empty"):
            with self.subTest(trouble):
                code, receipt, _ = self.ask(self.two(cloud=trouble), "--plan", "never", "--policy", "cloud")
                self.assertEqual(code, 0)
                self.assertEqual(receipt["answer"], "The answer is 7.\nAnswer: 7")
                self.assertEqual(receipt["calls"][0]["status"], "failed")
                self.assertEqual(receipt["subtasks"][0]["tier"], "edge")

    def test_a_refused_connection_ends_on_the_edge(self):
        config = self.config(endpoint("edge", "edge", self.stub.url, "edge-ok"),
                             endpoint("cloud", "cloud", "http://127.0.0.1:1/v1", "m"))
        code, receipt, _ = self.ask(config, "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["calls"][0]["failure"], "refused")
        self.assertEqual(receipt["calls"][0]["usd"], 0)

    def test_what_cannot_help_is_not_tried_twice(self):
        self.ask(self.two(cloud="unauthorized"), "--plan", "never", "--policy", "cloud")
        self.assertEqual(len(self.stub.asked("unauthorized")), 1)

    def test_a_busy_endpoint_is_asked_again(self):
        code, receipt, _ = self.ask(self.two(cloud="busy-once"), "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "answered")
        self.assertEqual([c["status"] for c in receipt["calls"]], ["failed", "done"])
        self.assertEqual(receipt["subtasks"][0]["tier"], "cloud")

    def test_a_stalled_stream_is_given_up(self):
        config = self.two(cloud="stall", cloud_extra='timeouts = { gap = "150ms" }')
        code, receipt, _ = self.ask(config, "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["calls"][0]["failure"], "gap-timeout")
        # The cloud may have charged for what it did: the worst case is booked.
        self.assertTrue(receipt["calls"][0]["usage_estimated"])
        self.assertGreater(receipt["calls"][0]["usd"], 0)

    def test_nobody_answers(self):
        config = self.two(edge="server-error", cloud="missing")
        code, receipt, err = self.ask(config, "--plan", "never")
        self.assertEqual(code, 5)
        self.assertEqual(receipt["outcome"], "unavailable")
        self.assertTrue(receipt["error"] and receipt["error"] in err)

    def test_a_failed_subtask_is_never_text_for_others(self):
        code, receipt, _ = self.ask(self.two(edge="server-error", cloud="server-error"), "--plan", "always")
        self.assertEqual(code, 5)
        for request in self.stub.requests:
            self.assertNotIn("it broke", json.dumps(request["messages"]))

    def test_missing_usage_is_booked_at_the_worst_case(self):
        code, receipt, _ = self.ask(self.two(cloud="no-usage"), "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertTrue(receipt["calls"][0]["usage_estimated"])
        self.assertGreater(receipt["totals"]["usd"], 0)

    def test_absurd_usage_neither_crashes_nor_goes_negative(self):
        code, receipt, _ = self.ask(self.two(cloud="huge-usage"), "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        # Numbers that cannot be are no usage.
        self.assertTrue(receipt["calls"][0]["usage_estimated"])
        self.assertGreater(receipt["totals"]["cloud_tokens"], 0)

    def test_an_endpoint_that_bills_more_than_it_was_allowed_is_named(self):
        code, receipt, _ = self.ask(self.two(cloud="overrun"), "--plan", "never", "--policy", "cloud")
        self.assertEqual(code, 0)
        self.assertIn("overrun", receipt["calls"][0]["detail"])
        self.assertEqual(receipt["calls"][0]["pico_usd"], 100 * 2_000_000 + 5_000 * 8_000_000)


class Budget(WithStub):
    def test_a_budget_that_is_too_small_for_the_cloud_moves_work_to_the_edge(self):
        code, receipt, _ = self.ask(self.two(), "--plan", "never", "--policy", "cloud", "--budget-usd", "0.000001")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "degraded")
        self.assertIn("budget", receipt["degraded"][0])
        self.assertEqual(receipt["totals"]["usd"], 0)
        self.assertFalse(self.stub.asked("cloud-ok"))

    def test_without_an_edge_it_is_refused(self):
        config = self.config(endpoint("cloud", "cloud", self.stub.url, "cloud-ok"))
        for limit in (["--budget-usd", "0"], ["--budget-tokens", "10"]):
            code, receipt, err = self.ask(config, "--plan", "never", *limit)
            self.assertEqual(code, 3)
            self.assertEqual(receipt["outcome"], "refused")
            self.assertIn("query", err)
        self.assertFalse(self.stub.asked("cloud-ok"))

    def test_spending_never_exceeds_the_limit(self):
        for limit in ("0.002", "0.004", "0.006", "0.02"):
            code, receipt, _ = self.ask(self.two(), "--plan", "always", "--policy", "cloud", "--budget-usd", limit)
            self.assertEqual(code, 0)
            self.assertLessEqual(receipt["totals"]["usd"], float(limit))

    def test_a_file_s_limit_may_only_be_lowered(self):
        config = self.two(more="[budget]\nusd = 0.001\n")
        _, receipt, err = self.ask(config, "--budget-usd", "5")
        self.assertEqual(receipt["budget"]["usd"]["limit"], 0.001)
        self.assertIn("stays at the configuration's limit", err)

    def test_the_deadline_without_any_answer_is_exit_code_4(self):
        config = self.two(edge="stall", cloud="stall", edge_extra="", cloud_extra="")
        # The stub sends one piece and stalls: a whole question then has the start of an answer.
        code, receipt, _ = self.ask(config, "--plan", "never", "--deadline", "400ms")
        self.assertEqual(code, 0)
        self.assertEqual(receipt["outcome"], "degraded")
        self.assertEqual(receipt["answer"], "half")

    def test_the_deadline_before_the_first_token_is_exit_code_4(self):
        listener = SilentServer()
        config = self.config(endpoint("edge", "edge", listener.url, "m"))
        code, receipt, err = self.ask(config, "--plan", "never", "--deadline", "300ms")
        listener.close()
        self.assertEqual(code, 4)
        self.assertEqual(receipt["outcome"], "deadline")
        self.assertIn("deadline", err)


class SilentServer:
    """Accepts connections and never answers."""

    def __init__(self):
        import socket
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"

    def close(self):
        self.socket.close()


class Interrupt(WithStub):
    def test_ctrl_c_cancels_settles_and_exits_130(self):
        config = self.two(cloud="stall")
        with subprocess.Popen([PROGRAM, "ask", "--config", config, "--json", "--plan", "never", "--policy", "cloud", QUESTION],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            guard = threading.Timer(30, child.kill)
            guard.start()
            # The stub has the request: the call is in flight.
            while not self.stub.asked("stall"):
                if child.poll() is not None:
                    break
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate()
            guard.cancel()
        self.assertEqual(child.returncode, 130)
        receipt = json.loads(out)
        self.check_sums(receipt)
        self.assertEqual(receipt["outcome"], "cancelled")
        self.assertEqual(receipt["calls"][0]["status"], "cancelled")


class BadInput(WithStub):
    def expect_sentence(self, *arguments, contains="", stdin=None, env=None):
        code, out, err = run(*arguments, stdin=stdin, env=env)
        self.assertEqual(code, 2, (arguments, err))
        self.assertEqual(out, "")
        self.assertIn(contains, err)
        self.assertEqual(err.count("\n"), 1, err)

    def test_each_gets_one_sentence_and_exit_code_2(self):
        ok = self.two()
        self.expect_sentence("ask", "--nonsense", "x", contains="--nonsense")
        self.expect_sentence("ask", "--config", "/nonexistent.toml", "x", contains="cannot be read")
        self.expect_sentence("ask", "--config", ok, "", contains="empty")
        self.expect_sentence("ask", "--config", ok, " \n ", contains="empty")
        self.expect_sentence("ask", "--config", ok, "-", stdin=b"x" * 1_000_000, contains="longer than")
        self.expect_sentence("ask", "--config", ok, "-", stdin=b"\xff\xfe broken", contains="UTF-8")
        self.expect_sentence("ask", "--config", ok, "--policy", "best", "x", contains="best")
        self.expect_sentence("ask", "--config", ok, "--budget-usd", "-1", "x", contains="dollars")
        self.expect_sentence("ask", "--config", ok, "--budget-usd", "lots", "x", contains="dollars")
        self.expect_sentence("ask", "--config", ok, "--budget-tokens", "1.5", "x", contains="tokens")
        self.expect_sentence("ask", "--config", ok, "--deadline", "soon", "x", contains="duration")
        self.expect_sentence("ask", "--config", ok, "--deadline", "0s", "x", contains="longer than zero")
        self.expect_sentence("ask", "--config", ok, "--plan", "/nonexistent", "x", contains="--plan")
        self.expect_sentence("ask", "--config", ok, "--lab", "x", contains="exclude")
        self.expect_sentence("ask", "--config", ok, "--seed", "soon", "x", contains="seed")

    def test_a_bad_configuration_names_its_line(self):
        path = self.config("[[endpoint]]\nname = \"a\"\ntier = \"edge\"\nmodle = \"x\"\n")
        self.expect_sentence("ask", "--config", path, "x", contains=f"{path}:4:")
        path = self.config("[[endpoint]\n")
        self.expect_sentence("ask", "--config", path, "x", contains=f"{path}:1:")

    def test_a_missing_key_a_missing_model_and_a_wrong_url(self):
        path = self.config(endpoint("cloud", "cloud", self.stub.url, "m", 'api_key_env = "NOT_SET_ANYWHERE"'))
        self.expect_sentence("ask", "--config", path, "x", contains="NOT_SET_ANYWHERE")
        path = self.config('[[endpoint]]\nname = "edge"\ntier = "edge"\nengine = { model = "no-such-model" }\n')
        has_engine = json.loads(run("version", "--json")[1])["engine"]
        self.expect_sentence("ask", "--config", path, "x", contains="no-such-model" if has_engine else "local engine")
        path = self.config(endpoint("edge", "edge", "localhost:80", "m"))
        self.expect_sentence("ask", "--config", path, "x", contains="http://")

    def test_a_host_that_does_not_exist_is_exit_code_5(self):
        path = self.config(endpoint("edge", "edge", "http://host.invalid/v1", "m"))
        code, out, err = run("ask", "--config", path, "--plan", "never", "x", env={"http_proxy": "", "HTTP_PROXY": ""})
        self.assertEqual((code, out), (5, ""))
        self.assertIn("hybridflow: ", err)

    def test_a_planner_that_does_not_exist(self):
        self.expect_sentence("ask", "--config", self.two(), "--planner", "nobody", "x", contains="edge, cloud")

    def test_no_command_and_an_unknown_one(self):
        self.expect_sentence(contains="subcommand")
        self.expect_sentence("dance", contains="dance")


class Routes(WithStub):
    """The ways to a server that a test on plain loopback does not take."""

    def test_tls_is_verified_and_the_environment_may_add_an_authority(self):
        pair = make_certificate(self.folder.name)
        secure = Stub(pair)
        self.addCleanup(secure.close)
        config = self.config(endpoint("edge", "edge", secure.url, "m"))
        code, out, err = run("ask", "--config", config, "--plan", "never", "x", env={"SSL_CERT_FILE": ""})
        self.assertEqual((code, out), (5, ""))
        self.assertIn("certificate", err)
        self.assertEqual(secure.requests, [])
        code, out, err = run("ask", "--config", config, "--plan", "never", "x", env={"SSL_CERT_FILE": pair[0]})
        self.assertEqual((code, out), (0, "The answer is 7.\nAnswer: 7\n"), err)

    def test_a_proxy_of_the_environment_is_used_except_for_loopback(self):
        proxy = self.stub.url.removesuffix("/v1")
        config = self.config(endpoint("edge", "edge", "http://models.invalid/v1", "m"))
        code, _, err = run("ask", "--config", config, "--plan", "never", "x", env={"http_proxy": proxy, "no_proxy": ""})
        self.assertEqual(code, 0, err)
        self.assertEqual(self.stub.paths, ["http://models.invalid/v1/chat/completions"])
        code, _, err = run("ask", "--config", self.two(), "--plan", "never", "x",
                           env={"http_proxy": "http://127.0.0.1:1", "no_proxy": ""})
        self.assertEqual(code, 0, err)


class PlanCommand(WithStub):
    def test_another_planner_is_chosen_by_name(self):
        code, receipt, _ = self.ask(self.two(), "--plan", "always", "--planner", "cloud")
        self.assertEqual(code, 0)
        planner = [c for c in receipt["calls"] if c["kind"] == "planner"]
        self.assertEqual([c["endpoint"] for c in planner], ["cloud"])

    def test_a_planner_that_fails_is_named_as_the_reason(self):
        code, out, err = run("plan", "--config", self.two(edge="bad-plan-unauthorized", cloud="bad-plan-unauthorized"), QUESTION)
        self.assertEqual((code, out), (5, ""))
        self.assertIn("the key is wrong", err)

    def test_it_shows_the_plan_without_running_it(self):
        config = self.two()
        for shape, sign in (("text", "What is the answer?"), ("json", '"relies_on"'), ("dot", "digraph"), ("svg", "<svg")):
            code, out, err = run("plan", "--config", config, "--format", shape, QUESTION)
            self.assertEqual(code, 0, err)
            self.assertIn(sign, out)
        self.assertEqual(len(self.stub.requests), 4)

    def test_parse_reads_markup_and_repairs_it(self):
        markup = b'<Plan><Step ID="1" Task="a?" Rely=""/><Step ID="2" Task="b?" Rely="1,9"/></Plan>'
        code, out, _ = run("plan", "--parse", "-", "--json", stdin=markup)
        self.assertEqual(code, 0)
        plan = json.loads(out)
        self.assertEqual([s["relies_on"] for s in plan["steps"]], [[], ["1"]])
        self.assertTrue(plan["repairs"])

    def test_parse_of_what_is_no_plan_is_exit_code_2(self):
        code, _, err = run("plan", "--parse", "-", stdin=b"no plan here")
        self.assertEqual(code, 2)
        self.assertEqual(err.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
