// One round trip with openapi-fetch and the types of openapi-typescript: `node … BASE_URL`.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Role = components["schemas"]["Role"];

async function main(): Promise<void> {
  const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
  const client = createClient<paths>({ baseUrl: process.argv[2], headers });

  const created = await client.POST("/roles", { body: { name: "cook", description: "cooks" } });
  assert.ok(created.data);
  const id: number = created.data.data.id;
  const path = { id };
  const listed = await client.GET("/roles", { params: { query: { page: 1 } } });
  assert.deepEqual(listed.data?.data.map((role) => role.name), ["cook"]);
  const read = await client.GET("/roles/{id}", { params: { path } });
  const role: Role | undefined = read.data?.data;
  assert.ok(role);
  const since: string = role.create_time;
  assert.ok(!Number.isNaN(Date.parse(since)));
  assert.equal(role.description, "cooks");

  const changed = await client.PATCH("/roles/{id}", { params: { path }, body: { name: "chef" } });
  assert.deepEqual([changed.data?.data.name, changed.data?.data.description], ["chef", "cooks"]);

  const taken = await client.POST("/roles", { body: { name: "chef" } });
  assert.equal(taken.response.status, 409);
  assert.equal(taken.error?.code, 13001);

  const refused = await client.POST("/roles", { body: { name: "x".repeat(200) } });
  assert.equal(refused.response.status, 422);
  const errors = (refused.error as components["schemas"]["InvalidInput"]).error;
  assert.deepEqual(errors?.body?.["name"], ["Longer than maximum length 128."]);

  const gone = await client.DELETE("/roles/{id}", { params: { path } });
  assert.equal(gone.response.status, 204);
  const missing = await client.GET("/roles/{id}", { params: { path } });
  assert.equal(missing.response.status, 404);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
