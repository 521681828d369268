// A client's workflow with openapi-fetch and the types that openapi-typescript generates from the OpenAPI document.
// Checked and run by scripts/generated-client against a temporary server.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Car = components["schemas"]["Car"];
type TokenPair = components["schemas"]["TokenPair"];

const { MYCARS_URL: baseUrl, PICTURE: picture } = process.env;
ok(baseUrl && picture, "MYCARS_URL and PICTURE are set");
const password = "Meadow-lark-77";

const anybody = createClient<paths>({ baseUrl });
const clientOf = (token: string) =>
  createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
type Client = ReturnType<typeof clientOf>;

async function register(): Promise<void> {
  const { data, response } = await anybody.POST("/api/register/", {
    body: {
      username: "typescript",
      email: "typescript@example.com",
      first_name: "Ann",
      last_name: "Lee",
      password,
    },
  });
  equal(response.status, 201);
  equal(data?.role, "client");
}

async function logIn(): Promise<TokenPair> {
  const wrong = await anybody.POST("/api/token/", { body: { username: "typescript", password: "wrong" } });
  ok(wrong.error && "detail" in wrong.error);
  equal(wrong.error.detail, "No active account found with the given credentials");
  const { data } = await anybody.POST("/api/token/", { body: { username: "typescript", password } });
  ok(data);
  return data;
}

async function createCar(client: Client): Promise<Car> {
  const { data } = await client.POST("/api/cars/", {
    body: { brand: "Toyota", model: "Camry", year: 2023, license: "TS 1", color: "Blue", notes: "Winter tyres" },
  });
  ok(data);
  deepEqual([data.year, data.mileage, data.vin], [2023, 0, null]);
  return data;
}

async function uploadPicture(client: Client, car: Car): Promise<void> {
  const file = new Blob([await readFile(picture!)], { type: "image/png" });
  const { data } = await client.POST("/api/cars/{car_id}/upload-image/", {
    params: { path: { car_id: car.id } },
    // The types declare files as text.
    body: { image: "" },
    bodySerializer: () => {
      const form = new FormData();
      form.append("image", file, "camry.png");
      return form;
    },
  });
  ok(data?.image);
  const jpeg = await anybody.GET("/media/cars/{file}", {
    params: { path: { file: data.image.replace("/media/cars/", "") } },
    parseAs: "arrayBuffer",
  });
  ok(jpeg.data);
  deepEqual([...new Uint8Array(jpeg.data).subarray(0, 3)], [0xff, 0xd8, 0xff]);
}

async function changeCar(client: Client, car: Car): Promise<void> {
  // Null removes a value, and missing fields stay unchanged.
  const { data } = await client.PATCH("/api/cars/{car_id}/", {
    params: { path: { car_id: car.id } },
    body: { color: null, mileage: 17_000 },
  });
  deepEqual([data?.color, data?.mileage, data?.notes], [null, 17_000, "Winter tyres"]);
}

async function listAndPage(client: Client, car: Car): Promise<void> {
  const { data: older } = await client.POST("/api/cars/", {
    body: { brand: "Honda", model: "Civic", year: 1999, license: "TS 2" },
  });
  ok(older);
  const { data: cars } = await client.GET("/api/cars/", { params: { query: { ordering: "brand,-year" } } });
  ok(Array.isArray(cars));
  deepEqual(cars.map(({ id }) => id), [older.id, car.id]);
  const { data: page } = await client.GET("/api/cars/", {
    params: { query: { ordering: "year", limit: 1, offset: 1 } },
  });
  ok(page && !Array.isArray(page));
  deepEqual([page.count, page.next, page.results[0]?.id], [2, null, car.id]);
  match(page.previous ?? "", /limit=1/);
}

async function seeErrors(client: Client): Promise<void> {
  const { error } = await client.POST("/api/cars/", {
    body: { brand: " ", model: "Camry", year: 1700, license: "ts 1" },
  });
  deepEqual(error, {
    brand: ["This field may not be blank."],
    year: ["Ensure this value is greater than or equal to 1886."],
    license: ["car with this license already exists."],
  });
  const missing = await client.GET("/api/cars/{car_id}/", { params: { path: { car_id: 1_000_000 } } });
  equal(missing.error?.detail, "No Car matches the given query.");
}

async function refresh(tokens: TokenPair): Promise<void> {
  const { data } = await anybody.POST("/api/token/refresh/", { body: { refresh: tokens.refresh } });
  ok(data);
  const { data: me } = await clientOf(data.access).GET("/api/me/");
  equal(me?.username, "typescript");
}

async function logOut(client: Client, tokens: TokenPair): Promise<void> {
  const { data } = await client.POST("/api/logout/", { body: { refresh: tokens.refresh } });
  ok(data?.detail);
  const over = await anybody.POST("/api/token/refresh/", { body: { refresh: tokens.refresh } });
  equal(over.response.status, 401);
}

await register();
const tokens = await logIn();
const client = clientOf(tokens.access);
const car = await createCar(client);
await uploadPicture(client, car);
await changeCar(client, car);
await listAndPage(client, car);
await seeErrors(client);
const { response } = await client.DELETE("/api/cars/{car_id}/", { params: { path: { car_id: car.id } } });
equal(response.status, 204);
await refresh(tokens);
await logOut(client, tokens);
console.log("The client of openapi-typescript works.");
