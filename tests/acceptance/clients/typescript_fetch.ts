// One round trip with the typescript-fetch client of openapi-generator: `node … BASE_URL`.
import assert from "node:assert/strict";
import { Configuration, ResponseError, RolesApi } from "./client/index";

async function fail(call: Promise<unknown>): Promise<{ status: number; body: any }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) {
      return { status: error.response.status, body: await error.response.json() };
    }
    throw error;
  }
  throw new Error("it did not fail");
}

async function main(): Promise<void> {
  const accessToken = process.env.TOKEN;
  const apiKey = `Bearer ${accessToken}`; // 2.0 knows no bearer scheme
  const basePath = process.argv[2];
  const roles = new RolesApi(new Configuration({ basePath, accessToken, apiKey }));

  const created = await roles.rolesCreate({ roleIn: { name: "cook", description: "cooks" } });
  const id: number = (created.data as { id: number }).id; // of 2.0 it makes no inner models
  const listed = await roles.rolesList({ page: 1 });
  assert.deepEqual(listed.data.map((role) => role.name), ["cook"]);
  const role = (await roles.rolesRead({ id })).data;
  assert.equal(role.id, id);
  assert.equal(role.description, "cooks");
  assert.ok(role.createTime instanceof Date);

  const changed = (await roles.rolesUpdate({ id, rolePatch: { name: "chef" } })).data;
  assert.deepEqual([changed.name, changed.description], ["chef", "cooks"]);

  const taken = await fail(roles.rolesCreate({ roleIn: { name: "chef" } }));
  assert.deepEqual([taken.status, taken.body.code], [409, 13001]);

  const refused = await fail(roles.rolesCreate({ roleIn: { name: "x".repeat(200) } }));
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.body.error.body.name, ["Longer than maximum length 128."]);

  await roles.rolesDelete({ id });
  assert.equal((await fail(roles.rolesRead({ id }))).status, 404);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
