import { X } from "lucide-react";
import { dismiss, useToasts } from "./toasts";

export function Toasts() {
  return (
    <section className="toasts" aria-label="Notifications">
      {useToasts().map((toast) => (
        <div
          key={toast.id}
          className={`toast ${toast.kind}`}
          role={toast.kind === "refusal" ? "alert" : "status"}
        >
          <div>
            <strong>{toast.count > 1 ? `${toast.count} orders filled` : toast.title}</strong>
            <p>{toast.text}</p>
          </div>
          <button type="button" className="plain" aria-label="Close" onClick={() => dismiss(toast.id)}>
            <X size={16} aria-hidden />
          </button>
        </div>
      ))}
    </section>
  );
}
