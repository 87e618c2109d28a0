import { useState } from "react";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { change, LONGEST_NAME, type Watchlist, withName, withNewList, withoutList } from "./watchlists";

/** Names a new watchlist, or renames or deletes `list`. */
export function ListDialog({ list, onClose }: { list: Watchlist | null; onClose: () => void }) {
  const [name, setName] = useState(list?.name ?? "");
  const [wrong, setWrong] = useState<string>();
  const save = () => {
    if (name.trim() === "") {
      setWrong("A name, for example Options");
      return;
    }
    change((known) => (list === null ? withNewList(known, name) : withName(known, name)));
    onClose();
  };
  return (
    <Dialog title={list === null ? "New watchlist" : `Watchlist ${list.name}`} onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Field label="Name" value={name} error={wrong} maxLength={LONGEST_NAME} onText={setName} />
        <div className="row end">
          {list !== null && (
            <button
              type="button"
              className="danger"
              onClick={() => {
                change(withoutList);
                onClose();
              }}
            >
              Delete{list.instruments.length > 0 && ` with its ${list.instruments.length} instruments`}
            </button>
          )}
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary">
            {list === null ? "Make it" : "Rename"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
