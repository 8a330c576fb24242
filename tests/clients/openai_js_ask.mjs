// One chat of model_test.py with the `openai` package; prints the pieces of the answer as JSON.
import { pathToFileURL } from "node:url";

const { url, request } = JSON.parse(process.env.GIVEN);
const { OpenAI } = await import(pathToFileURL(`${process.env.OPENAI_PACKAGE}/index.mjs`));
const client = new OpenAI({ baseURL: url, apiKey: "not-needed", maxRetries: 0 });
const answer = await client.chat.completions.create(request);
const texts = [];
if (request.stream) {
  for await (const chunk of answer) texts.push(chunk.choices[0].delta.content);
} else {
  texts.push(answer.choices[0].message.content);
}
console.log(JSON.stringify(texts.filter(Boolean)));
