// Requests to the review server, each with the token of the page's address.

export const token = location.hash.slice(1);

// The server answered, and said no; the message is for the reviewer.
export class Refused extends Error {}

export async function ask(path, body) {
  const headers = { "X-Review-Token": token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Refused(content.problem);
  return content;
}
