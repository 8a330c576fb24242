// The `openai` package against servers whose endpoints are named after what they do; begun by
// openai_js_test.py, which says in GIVEN where they are and what they answer.
import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";

const given = JSON.parse(process.env.GIVEN);
const openai = await import(pathToFileURL(`${process.env.OPENAI_PACKAGE}/index.mjs`));
const patience = 60_000;
const messages = [{ role: "user", content: given.question }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const response_format = {
  type: "json_schema",
  json_schema: { name: "fruits", schema: { type: "object", properties: { count: { type: "integer" } } } },
};

function client(endpoint, options = {}) {
  return new openai.OpenAI({
    baseURL: given.servers[endpoint], apiKey: given.key, maxRetries: 0, timeout: patience, ...options,
  });
}

function chat(endpoint, request, options) {
  return client(endpoint).chat.completions.create({ model: "edge", messages, ...request }, options);
}

// A test for each model.
function forEachModel(name, body) {
  for (const model of given.models) test(`${name}: ${model}`, () => body(model));
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

async function rejects(promise, type, status, code) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
    assert.deepEqual([error.status, error.code], [status, code]);
    return true;
  });
}

async function isCancelled(endpoint, run) {
  const until = Date.now() + patience;
  while (Date.now() < until) {
    const state = await client(endpoint).get(`/runs/${run}`);
    if (state.outcome !== "running") return assert.equal(state.outcome, "cancelled");
  }
  assert.fail(`the run ${run} has no end`);
}

forEachModel("whole", async (model) => {
  const { data, response } = await chat("ok", { model }).withResponse();
  assert.equal(data.choices[0].message.content, given.answer);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.ok(data.usage.total_tokens >= given.tokens);
  assert.equal(response.headers.get("x-hybridflow-outcome"), "answered");
});

forEachModel("streamed, with progress that is ignored", async (model) => {
  const hybridflow = { progress: true, ...(model === "hybrid/auto" && { plan: "always" }) };
  const chunks = await all(await chat("ok", { model, stream: true, hybridflow }));
  assert.equal(textOf(chunks), given.answer);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

forEachModel("usage at the end of a stream", async (model) => {
  const chunks = await all(await chat("ok", { model, stream: true, stream_options: { include_usage: true } }));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.total_tokens >= given.tokens);
});

forEachModel("helper for streams", async (model) => {
  const stream = client("ok").chat.completions.stream({ model, messages });
  let text = "";
  stream.on("content", (delta) => { text += delta; });
  assert.equal(await stream.finalContent(), given.answer);
  assert.equal(text, given.answer);
});

forEachModel("tools", async (model) => {
  const asked = [];
  const weather = { ...tools[0].function, parse: JSON.parse, function: ({ city }) => { asked.push(city); return "21"; } };
  for (const stream of [false, true]) {
    const runner = client("tools").chat.completions.runTools(
      { model, messages, stream, tools: [{ type: "function", function: weather }] });
    assert.equal(await runner.finalContent(), "It is 21");
  }
  assert.deepEqual(asked, ["Lyon", "Lyon"]);
});

forEachModel("structured output", async (model) => {
  const answer = await client("json").chat.completions.parse({ model, messages, response_format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), JSON.parse(given.fruits));
  const chunks = await all(await chat("json", { model, response_format, stream: true }));
  assert.deepEqual(JSON.parse(textOf(chunks)), JSON.parse(given.fruits));
});

forEachModel("the same request twice", async (model) => {
  const headers = { "Idempotency-Key": `js-${model}` };
  const [first, again] = [await chat("ok", { model }, { headers }), await chat("ok", { model }, { headers })];
  assert.deepEqual(again, first);
  await rejects(chat("ok", { model, seed: 2 }, { headers }), openai.UnprocessableEntityError, 422,
    "idempotency_key_reused");
});

test("embeddings", async () => {
  for (const form of [{}, { encoding_format: "float" }]) {
    const answer = await client("embed").embeddings.create({ model: "edge", input: ["one", "two"], ...form });
    assert.deepEqual(answer.data.map((each) => each.embedding), [given.vector, given.vector]);
  }
});

test("models", async () => {
  const models = await all(await client("ok").models.list());
  assert.deepEqual(models.map((model) => model.id),
    ["hybrid/auto", "hybrid/edge", "hybrid/cloud", "edge", "cloud"]);
  for (const model of models) assert.deepEqual(await client("ok").models.retrieve(model.id), model);
});

forEachModel("wrong requests", async (model) => {
  await rejects(chat("ok", { model, max_tokens: -1 }), openai.BadRequestError, 400, "invalid_value");
  await rejects(chat("ok", { model, n: 2 }), openai.BadRequestError, 400, "unsupported_parameter");
});

test("what is over is not asked again", async () => {
  const patient = client("silent", { maxRetries: 2 });
  const hybridflow = { deadline_ms: 100 };
  await rejects(patient.chat.completions.create({ model: "edge", messages, hybridflow }),
    openai.InternalServerError, 504, "deadline_exceeded");
  const { data } = await patient.get("/runs?limit=100");
  assert.equal(data.filter((run) => run.outcome === "deadline").length, 1);
});

test("refusals", async () => {
  await rejects(chat("ok", { model: "gpt-9" }), openai.NotFoundError, 404, "model_not_found");
  const hybridflow = { budget: { usd: 0.000001 } };
  await rejects(chat("ok", { model: "cloud", hybridflow }), openai.APIError, 402, "budget_exceeded");
  await rejects(chat("ok", { model: "cloud", hybridflow, stream: true }), openai.APIError, 402, "budget_exceeded");
  await rejects(chat("silent", { hybridflow: { deadline_ms: 100 } }), openai.InternalServerError, 504,
    "deadline_exceeded");
  await rejects(chat("server-error", { stream: true }), openai.InternalServerError, 502, "upstream_failed");
  await assert.rejects(chat("refusal", {}), openai.BadRequestError);
});

test("a wrong key", { skip: !given.has_keys }, async () => {
  const stranger = client("ok", { apiKey: "hf-nothing" });
  await rejects(stranger.models.list(), openai.AuthenticationError, 401, "invalid_api_key");
});

test("a client that runs out of time", async () => {
  const request = chat("stall-until-left", {}, { timeout: 300 });
  await assert.rejects(request, openai.APIConnectionTimeoutError);
  const { data } = await client("stall-until-left").get("/runs?limit=1");
  await isCancelled("stall-until-left", data[0].id);
});

forEachModel("a client that leaves in the middle", async (model) => {
  const { data, response } = await chat(
    "stall-until-left", { model, stream: true, hybridflow: { plan: "never" } }).withResponse();
  for await (const chunk of data) {
    assert.equal(chunk.choices[0].delta.content, "half");
    break;  // This closes the connection.
  }
  await isCancelled("stall-until-left", response.headers.get("x-hybridflow-run"));
});
