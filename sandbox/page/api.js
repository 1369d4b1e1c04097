// The page's own API.
async function answered(promise) {
  const answer = await promise;
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const post = (path, body) => answered(fetch(path, { method: "POST", body }));

export const api = {
  chat: (person) => answered(fetch(`/api/chat/${person}`)),
  addPerson: (name, language) => post("/api/people", JSON.stringify({ name, language })),
  press: (person, message, data) => post(`/api/chat/${person}/press`, JSON.stringify({ message, data })),
  pay: (person, message) => post(`/api/chat/${person}/pay`, JSON.stringify({ message })),
  block: (person, blocked) => post(`/api/chat/${person}/block`, JSON.stringify({ blocked })),
  file: (id) => `/api/files/${encodeURIComponent(id)}`,

  // Text alone, or files with a caption; `as` is "photo" or "file".
  send(person, text, files = [], as = "") {
    const form = new FormData();
    form.set("text", text);
    form.set("as", as);
    for (const file of files) form.append("file", file);
    return post(`/api/chat/${person}/send`, form);
  },
};
